/* dlclose LIBRARY DNS PORT: closed while its worker lives, the library stays mapped, or the worker would run into nothing. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <mapagent.h>
#include <stdio.h>
#include <stdlib.h>

/* ISO C has no conversion from what dlsym gives to a function; POSIX asks for it. */
static void find(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
    if (*(void **)function == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
}

int main(int argc, char **argv)
{
    map_config *(*config_new)(void);
    map_reply (*set_dns_servers)(map_config *, const char *);
    map_reply (*set_smtp_port)(map_config *, int32_t);
    map_reply (*set_allow_loopback)(map_config *, int32_t);
    map_reply (*configure_default)(const map_config *);
    void (*config_free)(map_config *);
    map_reply (*send)(const char *, const char *, const char *, const char *);
    map_config *config;
    void *library;
    int round;

    if (argc != 4)
        return 2;
    for (round = 0; round < 3; round++) {
        library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        find(library, "map_config_new", &config_new);
        find(library, "map_config_set_dns_servers", &set_dns_servers);
        find(library, "map_config_set_smtp_port", &set_smtp_port);
        find(library, "map_config_set_allow_loopback", &set_allow_loopback);
        find(library, "map_configure_default", &configure_default);
        find(library, "map_config_free", &config_free);
        find(library, "map_send", &send);
        config = config_new();
        if (set_dns_servers(config, argv[2]) != RE_SUCCESS || set_smtp_port(config, atoi(argv[3])) != RE_SUCCESS ||
            set_allow_loopback(config, 1) != RE_SUCCESS || configure_default(config) != RE_SUCCESS)
            return 3;
        config_free(config);
        if (send("alice@sender.example", "bob@taken.example", "s", "c") != RE_SUCCESS)
            return 4;
        if (dlclose(library) != 0)
            return 5;
        if (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL)
            return 6;
    }
    return 0;
}
