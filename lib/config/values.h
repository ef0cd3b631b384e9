// Values with a syntax of their own.
#pragma once

#include "lib/doc/schema.h"

extern const struct schema_codec config_listen_codec; // of a struct config_registry
extern const struct schema_codec config_url_codec;    // of a char *, likewise the next two
extern const struct schema_codec config_path_codec;
extern const struct schema_codec config_docker_host_codec;

// As schema_check_fn.
int config_check_registry_name(const char *text, struct error *err);
int config_check_alias(const char *text, struct error *err);
