#include "lib/config/internal.h"

int config_print(const struct config *config, FILE *out)
{
    return schema_print(config_schema, config, out);
}
