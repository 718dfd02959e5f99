/* What is set in a configuration. */
#include <mapagent.h>

int main(void)
{
    map_config *config = map_config_new();
    const char *secret = "s3cret";

    SNIPPET
    map_config_free(config);
    return 0;
}
