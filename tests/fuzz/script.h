// Inputs as scripts of the other side: parts, separated by lines of "%%", so that people can read
// and write them. Each is an answer, for the requests in the order in which they are sent:
//
//     200 7 104            status; bytes of each piece of a stream, 0: the whole; errno that the
//     Api-Version: 1.41    exchange breaks with after the body, without a status instead of it
//
//     body
//
// "tar" for the status is 200 with a tar body of the files that the body lists: lines of "== PATH",
// each followed by the content.
#pragma once

#include "tests/support/fake_transport.h"

// Cuts the first part off *rest; returns its length. The line end before the separator is the
// separator's.
size_t script_cut(const char **rest, size_t *rest_length);

// Appends the answers to the transport's script.
void script_answers(struct fake_transport *fake, const char *parts, size_t length);
