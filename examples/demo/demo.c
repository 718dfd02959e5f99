/*
 * What `make demo` shows of the C interface: one call, and what came of it.
 *
 *     demo DNS_SERVER SMTP_PORT FROM TO SUBJECT CONTENT
 *
 * Only the first function is about the sandbox. The exit status is the number of the reply.
 */
#include <mapagent.h>
#include <stdio.h>
#include <stdlib.h>

static int use_sandbox(const char *dns_server, const char *smtp_port)
{
    map_config *config = map_config_new();
    int done = map_config_set_dns_servers(config, dns_server) == RE_SUCCESS &&
               map_config_set_smtp_port(config, atoi(smtp_port)) == RE_SUCCESS &&
               map_config_set_hello_name(config, "client.example") == RE_SUCCESS &&
               map_config_set_allow_loopback(config, 1) == RE_SUCCESS &&
               map_configure_default(config) == RE_SUCCESS;

    map_config_free(config);
    return done;
}

int main(int argc, char **argv)
{
    map_report *report;
    map_reply reply;

    if (argc != 7 || !use_sandbox(argv[1], argv[2])) {
        fprintf(stderr, "usage: %s DNS_SERVER SMTP_PORT FROM TO SUBJECT CONTENT\n", argv[0]);
        return 2;
    }
    reply = map_send_report(argv[3], argv[4], argv[5], argv[6], &report);
    printf("%s", map_report_transcript(report));
    printf("\n%s (%d): %s\n", map_reply_name(reply), reply, map_report_advice(report, MAP_SUMMARY));
    map_report_free(report);
    return reply;
}
