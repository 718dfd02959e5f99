/* Linked with the snippets in C: what they send by the default agent goes into the world of the test. */
#include <mapagent.h>
#include <stdlib.h>

__attribute__((constructor)) static void into_the_world(void)
{
    map_config *config = map_config_new();

    map_config_set_dns_servers(config, getenv("SNIPPET_DNS"));
    map_config_set_smtp_port(config, atoi(getenv("SNIPPET_SMTP_PORT")));
    map_config_set_hello_name(config, "client.example");
    map_config_set_allow_loopback(config, 1);
    map_configure_default(config);
    map_config_free(config);
}
