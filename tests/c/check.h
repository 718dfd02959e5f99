/* What the C tests have in common. */
#ifndef CHECK_H
#define CHECK_H

#include <mapagent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: not so: %s\nlast reply: %s\n", __FILE__, __LINE__, #condition, map_last_reply()); \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

#define CHECK_TEXT(is, should)                                                                                        \
    do {                                                                                                              \
        const char *is_ = (is);                                                                                       \
        if (is_ == NULL || strcmp(is_, (should)) != 0) {                                                              \
            fprintf(stderr, "%s:%d: %s is \"%s\" and not \"%s\"\n", __FILE__, __LINE__, #is,                          \
                    is_ == NULL ? "(NULL)" : is_, (should));                                                          \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

/* A configuration for the sandbox whose DNS server and mail port are the program's first two arguments. */
static inline map_config *sandbox_config(int argc, char **argv)
{
    map_config *config = map_config_new();

    CHECK(argc >= 3);
    CHECK(config != NULL);
    CHECK(map_config_set_dns_servers(config, argv[1]) == RE_SUCCESS);
    CHECK(map_config_set_smtp_port(config, atoi(argv[2])) == RE_SUCCESS);
    CHECK(map_config_set_allow_loopback(config, 1) == RE_SUCCESS);
    CHECK(map_config_set_hello_name(config, "client.example") == RE_SUCCESS);
    CHECK(map_config_set_deadline_ms(config, 120 * 1000) == RE_SUCCESS);
    return config;
}

/* map_send() and its kin deliver into the sandbox from here on. */
static inline void use_sandbox(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);

    CHECK(map_configure_default(config) == RE_SUCCESS);
    map_config_free(config);
}

#endif
