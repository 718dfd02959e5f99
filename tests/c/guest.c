/*
 * guest DNS PORT FOLDER: what a host program takes for granted. A setting that was refused is not forgotten, texts outlive
 * the expression that they stand in, an agent that was not used survives fork(), a pipe that nobody reads raises no signal,
 * and parts nested without end are no more than an error.
 */
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char proxy[] = "htp://proxy.example:1080";

static void a_refused_setting_is_remembered(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_dkim_signer *signer;
    map_agent *agent;
    char first[256];

    CHECK(map_config_set_proxy(config, proxy) == RE_MISUSE);
    snprintf(first, sizeof first, "%s", map_last_reply());
    CHECK(map_config_set_smtp_port(config, 0) == RE_MISUSE);
    CHECK(map_config_set_smtp_port(config, 25) == RE_SUCCESS);
    CHECK(map_agent_new(config) == NULL);
    CHECK_TEXT(map_last_reply(), first);
    CHECK(strlen(map_last_advice()) > 10);
    CHECK(map_configure_default(config) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), first);
    CHECK(map_config_clear_errors(config) == RE_SUCCESS);
    CHECK((agent = map_agent_new(config)) != NULL);
    map_agent_free(agent);
    CHECK(map_config_set_hello_name(config, NULL) == RE_MISUSE);
    CHECK(map_agent_new(config) == NULL);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <name is NULL>.");
    map_config_free(config);
    CHECK(map_config_clear_errors(NULL) == RE_MISUSE);

    config = map_config_new();
    signer = map_dkim_signer_new("example.com", "s",
                                 "-----BEGIN PRIVATE KEY-----\n"
                                 "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                 "-----END PRIVATE KEY-----\n");
    CHECK(signer != NULL);
    CHECK(map_dkim_signer_set_expiry(signer, 0) == RE_MISUSE);
    CHECK(map_config_add_dkim_signer(config, signer) == RE_MISUSE);
    CHECK(map_dkim_signer_set_expiry(signer, 3600) == RE_SUCCESS);
    CHECK(map_config_clear_errors(config) == RE_SUCCESS);
    CHECK(map_config_add_dkim_signer(config, signer) == RE_SUCCESS);
    map_dkim_signer_free(signer);
    map_config_free(config);
}

/* The arguments of a function are evaluated in any order. */
static void texts_outlive_their_expression(void)
{
    const char *advice, *line, *answer;
    char text[2048];
    map_session *session = map_session_new(NULL);
    int i;

    CHECK(map_send("nobody", "b@example.com", "s", "c") == RE_INVALID_FORMAT);
    line = map_last_reply();
    advice = map_last_advice();
    CHECK(map_send(NULL, "b@example.com", "s", "c") == RE_NO_EMPTY);
    CHECK_TEXT(line, "RE_INVALID_FORMAT: <nobody>.");
    CHECK(strlen(advice) > 10);
    snprintf(text, sizeof text, "%d %s %d %s", map_send("a@example.com", "", "s", "c"), map_last_advice(),
             map_send("a@example.com", "nobody", "s", "c"), map_last_advice());
    CHECK(strstr(text, "1 ") == text && strstr(text, " 2 ") != NULL);
    snprintf(text, sizeof text, "%s %s", map_last_reply(), map_last_advice());
    CHECK(strstr(text, "RE_") == text);

    answer = map_session_command(session, "CMD_END.");
    snprintf(text, sizeof text, "%s", answer);
    for (i = 0; i < 8; i++)
        CHECK(map_session_command(session, "CMD_NONE.") != answer);
    CHECK_TEXT(answer, text);
    map_session_free(session);
}

static void errno_stays(void)
{
    map_config *config;

    errno = ERANGE;
    CHECK(map_send(NULL, NULL, NULL, NULL) == RE_NO_EMPTY);
    CHECK(map_part_file_new("/nowhere") == NULL);
    config = map_config_new();
    map_config_free(config);
    CHECK(errno == ERANGE);
}

static void an_unused_agent_belongs_to_who_uses_it(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config), *unused = map_agent_new(config);
    pid_t process;
    int status;

    map_config_free(config);
    process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "child", "c", NULL) == RE_SUCCESS);
        CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "child", "c", NULL) == RE_SUCCESS);
        process = fork();
        if (process == 0) {
            CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "no", "c", NULL) == RE_MISUSE);
            CHECK(map_agent_send(unused, "alice@sender.example", "bob@taken.example", "child", "c", NULL)
                  == RE_SUCCESS);
        } else {
            CHECK(waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        map_agent_free(agent);
        map_agent_free(unused);
        exit(0);
    }
    CHECK(waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "parent", "c", NULL) == RE_SUCCESS);
    map_agent_free(agent);
    map_agent_free(unused);
}

static void *read_a_little(void *path)
{
    char octets[10];
    int fd = open(path, O_RDONLY);

    CHECK(fd >= 0);
    CHECK(read(fd, octets, sizeof octets) > 0);
    close(fd);
    return NULL;
}

static void a_pipe_that_nobody_reads_is_an_error(const char *folder)
{
    enum { LENGTH = 1024 * 1024 };
    map_message *message = map_message_new();
    char *data = calloc(LENGTH, 1), path[512];
    pthread_t reader;
    sigset_t pending;

    signal(SIGPIPE, SIG_DFL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(pthread_create(&reader, NULL, read_a_little, path) == 0);
    CHECK(map_message_add_from(message, "a@example.com") == RE_SUCCESS);
    CHECK(map_message_add_to(message, "b@example.com") == RE_SUCCESS);
    CHECK(map_message_attach_octets(message, data, LENGTH, "zeros") == RE_SUCCESS);
    CHECK(map_message_write_file(message, path) == RE_LOCAL);
    CHECK(strstr(map_last_reply(), path) != NULL);
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    CHECK(pthread_join(reader, NULL) == 0);
    map_message_free(message);
    free(data);
}

static void nesting_has_an_end(void)
{
    enum { LEVELS = 20000 };
    map_part *part = map_part_text_new("inside", 6);
    map_message *message = map_message_new();
    map_reply first = RE_SUCCESS;
    int level, refused_at = 0;

    for (level = 1; level <= LEVELS; level++) {
        map_part *around = map_part_multipart_new(MAP_MULTIPART_MIXED);

        CHECK(around != NULL);
        if (map_part_add(around, part) != RE_SUCCESS && first == RE_SUCCESS) {
            first = RE_MISUSE;
            refused_at = level;
            CHECK_TEXT(map_last_reply(), "RE_MISUSE: <parts are nested more than 50 deep>.");
        }
        map_part_free(part);
        part = around;
    }
    CHECK(first == RE_MISUSE && refused_at == 52);
    CHECK(map_message_set_body(message, part) == RE_MISUSE);
    map_part_free(part);
    map_message_free(message);

    part = map_part_text_new("inside", 6);
    for (level = 1; level <= LEVELS && part != NULL; level++) {
        message = map_message_new();
        CHECK(map_message_add_from(message, "a@example.com") == RE_SUCCESS);
        CHECK(map_message_add_to(message, "b@example.com") == RE_SUCCESS);
        CHECK(map_message_set_body(message, part) == RE_SUCCESS);
        map_part_free(part);
        part = map_part_message_new(message);
        map_message_free(message);
    }
    CHECK(part == NULL && level == 52);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <parts are nested more than 50 deep>.");
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    a_refused_setting_is_remembered(argc, argv);
    texts_outlive_their_expression();
    errno_stays();
    an_unused_agent_belongs_to_who_uses_it(argc, argv);
    a_pipe_that_nobody_reads_is_an_error(argv[3]);
    nesting_has_an_end();
    return 0;
}
