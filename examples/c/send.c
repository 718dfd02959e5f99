/*
 * Sends one mail and says what happened.
 *
 *     cc send.c -o send $(pkg-config --cflags --libs mapagent)
 *     ./send you@example.org friend@example.com "Hello" "See you on Sunday."
 */
#include <mapagent.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    map_reply reply;

    if (argc != 5) {
        fprintf(stderr, "usage: %s FROM TO SUBJECT CONTENT\n", argv[0]);
        return 2;
    }
    reply = map_send(argv[1], argv[2], argv[3], argv[4]);
    puts(map_last_reply());
    if (reply != RE_SUCCESS)
        puts(map_last_advice());
    return reply;
}
