/* Sends a message with a text and files: message FROM TO SUBJECT FILE... TO may be many, as a person writes them:
 * "Bob <bob@example.net>, carol@example.org". The text is read from the standard input.
 *
 *     cc message.c $(pkg-config --cflags --libs mapagent)
 *
 * -d SERVER and -p PORT are for tests: the DNS server to ask, and the port of mail hosts, also on loopback. */
#include <mapagent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t show(const map_progress *progress, void *user_data)
{
    uint64_t sent = map_progress_sent(progress), total = map_progress_total(progress);

    (void)user_data;
    if (sent > 0 && total != MAP_SIZE_UNKNOWN)
        fprintf(stderr, "\r%3d %%", (int)(100 * sent / total));
    return 0; /* Anything else would cancel it. */
}

/* All of the standard input. */
static char *read_text(size_t *length)
{
    char *text = NULL;
    size_t room = 0, now;

    *length = 0;
    do {
        if (*length == room)
            text = realloc(text, room += 65536);
        if (text == NULL)
            return NULL;
        now = fread(text + *length, 1, room - *length, stdin);
        *length += now;
    } while (now > 0);
    return text;
}

int main(int argc, char **argv)
{
    map_config *config = map_config_new();
    map_message *message = map_message_new();
    map_report *report;
    map_agent *agent;
    map_reply reply;
    size_t length;
    char *text;

    for (; argc > 2 && argv[1][0] == '-'; argc -= 2, argv += 2) {
        if (strcmp(argv[1], "-d") == 0)
            map_config_set_dns_servers(config, argv[2]);
        else if (strcmp(argv[1], "-p") == 0)
            map_config_set_smtp_port(config, atoi(argv[2]));
        map_config_set_allow_loopback(config, 1);
        map_config_set_hello_name(config, "client.example");
    }
    if (argc < 4 || (text = read_text(&length)) == NULL) {
        fprintf(stderr, "usage: message FROM TO SUBJECT FILE...\n");
        return RE_MISUSE;
    }
    agent = map_agent_new(config);
    map_config_free(config);

    /* What is wrong with a piece need not be looked at here: sending answers with it. */
    map_message_add_from(message, argv[1]);
    map_message_add_to(message, argv[2]);
    map_message_set_subject(message, argv[3]);
    map_message_set_text_n(message, text, length);
    for (int i = 4; i < argc; i++)
        map_message_attach_file(message, argv[i]);
    free(text);

    reply = map_send_message_with_progress(agent, message, show, NULL, &report);
    if (reply != RE_SUCCESS)
        puts(map_last_advice());
    for (size_t i = 0; i < map_report_recipient_count(report); i++)
        printf("%s: %s\n", map_report_recipient(report, i), map_report_text(report, i));

    map_report_free(report);
    map_message_free(message);
    map_agent_free(agent);
    return reply;
}
