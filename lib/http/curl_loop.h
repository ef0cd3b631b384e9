// A multi handle of curl's on a libuv loop: curl says which sockets and which timer it wants
// watched, the loop says when they are ready.
#pragma once

#include <curl/curl.h>
#include <uv.h>

struct curl_loop;

// A transfer has ended, with NULL all have; each is the owner's to remove. Called from the loop
// alone, so never inside a function or callback of curl's.
typedef void (*curl_ended_fn)(void *ctx, CURL *easy, CURLcode result);

struct curl_loop *curl_loop_new(uv_loop_t *loop, curl_ended_fn ended, void *ctx);

// There must be no transfer any more. Memory goes when the loop has run the close callbacks.
void curl_loop_free(struct curl_loop *loop);

// The transfer begins with the next turn of the loop.
CURLMcode curl_loop_add(struct curl_loop *loop, CURL *easy);

// Also of a transfer that has not ended.
void curl_loop_remove(struct curl_loop *loop, CURL *easy);
