// What the simulated servers share: taking a request apart and putting an answer together. All
// fail the test when memory runs out.
#pragma once

#include "tests/support/sim_http.h"

#include <jansson.h>

// A request for a handler.
struct sim_exchange {
    const struct sim_request *request;
    struct sim_reply *reply;
    char *path;  // unescaped, without the query
    char *query; // unescaped, "" for none
    char *name;  // what the route's pattern left open
};

void sim_exchange_begin(struct sim_exchange *x, const struct sim_request *request,
                        struct sim_reply *reply);
void sim_exchange_end(struct sim_exchange *x);

// Whether path is prefix, something without a '/' (any, for wide), suffix; that becomes x->name.
bool sim_exchange_match(struct sim_exchange *x, const char *path, const char *prefix,
                        const char *suffix, bool wide);

// The value of a query parameter, NULL for none; the caller frees it.
char *sim_exchange_query(const struct sim_exchange *x, const char *key);
// The body's JSON; the caller owns it.
json_t *sim_exchange_json(const struct sim_exchange *x);

// Answers with JSON (taken), or with a status alone (NULL).
void sim_exchange_answer(struct sim_exchange *x, int status, json_t *body);
// Answers with {"message": ...}.
void sim_exchange_refuse(struct sim_exchange *x, int status, const char *format, ...)
    _printf_(3, 4);
