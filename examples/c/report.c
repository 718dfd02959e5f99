/*
 * Sends one mail by settings from the command line, and prints all there is to know about it.
 *
 *     cc report.c -o report $(pkg-config --cflags --libs mapagent)
 *     ./report -t 60 you@example.org friend@example.com "Hello" "See you on Sunday."
 *
 * With -d and -p it sends into a sandbox: ./report -d 127.0.0.1:5300 -p 2525 -l ...
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
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

/* What a server said is for the transcript, where it is escaped; here are the facts. */
static void print_report(const map_report *report)
{
    static const char *const answers[] = {"no", "yes", "unknown"};
    const char *message_id = map_report_message_id(report);
    uint64_t wait = map_report_retry_after_ms(report, MAP_SUMMARY);
    size_t i;

    printf("%s\n%s\n", map_report_text(report, MAP_SUMMARY), map_report_advice(report, MAP_SUMMARY));
    printf("delivered: %s\n", answers[map_report_delivered(report, MAP_SUMMARY)]);
    if (map_report_is_transient(report, MAP_SUMMARY))
        printf("worth another try later\n");
    if (wait > 0)
        printf("wait for: %" PRIu64 " s\n", wait / 1000);
    if (message_id != NULL)
        printf("message: <%s>\n", message_id);
    for (i = 0; i < map_report_attempt_count(report); i++) {
        const char *address = map_report_attempt_address(report, i);

        printf("attempt: %s [%s], %" PRIu64 " ms, %s: %s\n", map_report_attempt_host(report, i),
               address != NULL ? address : "no address", map_report_attempt_duration_ms(report, i),
               map_stage_name(map_report_attempt_stage(report, i)), map_report_attempt_detail(report, i));
    }
    for (i = 0; i < map_report_warning_count(report); i++)
        printf("warning: %s\n", map_report_warning(report, i));
    printf("\n%s", map_report_transcript(report));
}

int main(int argc, char **argv)
{
    map_config *config = map_config_new();
    map_agent *agent;
    map_report *report;
    map_reply reply;
    int option;

    while ((option = getopt(argc, argv, "d:p:n:t:l")) != -1) {
        switch (option) {
        case 'd': must(map_config_set_dns_servers(config, optarg)); break;
        case 'p': must(map_config_set_smtp_port(config, atoi(optarg))); break;
        case 'n': must(map_config_set_hello_name(config, optarg)); break;
        case 't': must(map_config_set_deadline_ms(config, strtoull(optarg, NULL, 10) * 1000)); break;
        case 'l': must(map_config_set_allow_loopback(config, 1)); break;
        default: argc = 0; break;
        }
    }
    if (argc - optind != 4) {
        fprintf(stderr, "usage: %s [-d DNS-SERVERS] [-p SMTP-PORT] [-n HELLO-NAME] [-t SECONDS] [-l] FROM TO SUBJECT CONTENT\n",
                argv[0]);
        map_config_free(config);
        return 2;
    }

    agent = map_agent_new(config);
    map_config_free(config);
    reply = map_agent_send(agent, argv[optind], argv[optind + 1], argv[optind + 2], argv[optind + 3], &report);
    if (report != NULL)
        print_report(report);
    else
        puts(map_last_reply());
    map_report_free(report);
    map_agent_free(agent);
    return reply;
}
