/*
 * Hands one mail to a relay (a smarthost) that wants a log-in, and says what happened.
 *
 *     cc relay.c -o relay $(pkg-config --cflags --libs mapagent)
 *     MAPAGENT_RELAY_SECRET=... ./relay mail.example.net 587 alice \
 *         you@example.org friend@example.com "Hello" "See you on Sunday."
 *
 * The secret comes from the environment, because every user of the machine can read the arguments of its programs. With
 * -d and -c it sends into a sandbox: ./relay -d 127.0.0.1:5300 -c authority.pem ...
 */
#define _POSIX_C_SOURCE 200809L
#include <mapagent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void must(map_reply reply)
{
    if (reply != RE_SUCCESS) {
        fprintf(stderr, "%s\n", map_last_reply());
        exit(reply);
    }
}

/* Trusts the authorities in a file of certificates, too. */
static void trust(map_config *config, const char *path)
{
    static char pem[256 * 1024];
    FILE *file = fopen(path, "r");
    size_t length;

    if (file == NULL) {
        perror(path);
        exit(RE_MISUSE);
    }
    length = fread(pem, 1, sizeof pem - 1, file);
    fclose(file);
    pem[length] = '\0';
    must(map_config_add_tls_roots(config, pem));
}

int main(int argc, char **argv)
{
    const char *secret = getenv("MAPAGENT_RELAY_SECRET");
    map_config *config = map_config_new();
    map_agent *agent;
    map_report *report;
    map_reply reply;
    int option, port;

    while ((option = getopt(argc, argv, "d:c:")) != -1) {
        switch (option) {
        case 'd': must(map_config_set_dns_servers(config, optarg)); break;
        case 'c': trust(config, optarg); break;
        default: argc = 0; break;
        }
    }
    if (argc - optind != 7 || secret == NULL) {
        fprintf(stderr, "usage: MAPAGENT_RELAY_SECRET=... %s [-d DNS-SERVERS] [-c PEM-FILE] HOST PORT USER"
                        " FROM TO SUBJECT CONTENT\n", argv[0]);
        map_config_free(config);
        return RE_MISUSE;
    }
    argv += optind;

    /* Usual are implicit TLS at port 465 and STARTTLS at 587; with either the relay is verified before the secret leaves. */
    port = atoi(argv[1]);
    must(map_config_set_relay(config, argv[0], port, port == 465 ? MAP_RELAY_IMPLICIT_TLS : MAP_RELAY_STARTTLS));
    must(map_config_set_relay_login(config, argv[2], secret, MAP_SECRET_PASSWORD));
    agent = map_agent_new(config);
    map_config_free(config);

    reply = map_agent_send(agent, argv[3], argv[4], argv[5], argv[6], &report);
    puts(map_last_reply());
    puts(map_last_advice());
    if (map_report_tls_version(report, MAP_SUMMARY) != NULL)
        printf("over %s, %s, verified by %s\n", map_report_tls_version(report, MAP_SUMMARY),
               map_report_tls_cipher_suite(report, MAP_SUMMARY),
               map_verified_name(map_report_tls_verified(report, MAP_SUMMARY)));
    if (map_report_is_relayed(report, MAP_SUMMARY))
        puts("The relay passes it on.");
    map_report_free(report);
    map_agent_free(agent);
    return reply;
}
