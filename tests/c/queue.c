/* queue DNS PORT: sends without blocking, in a world in which each domain is silent at the stage that it is named for. Empty
   fields, bad addresses and messages come by done; cancel works at every stage; handles are freed in every order. */
#define _GNU_SOURCE
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int released;

struct send {
    int done;
    map_reply reply;
    map_answer delivered;
    char text[200];
    map_queue *free_queue;
    map_agent *free_agent;
    map_job *free_job;
};

static void release(void *user_data)
{
    CHECK(user_data != NULL);
    released++;
}

static void done(map_reply reply, map_report *report, void *user_data)
{
    struct send *send = user_data;

    CHECK(report != NULL && map_report_reply(report, MAP_SUMMARY) == reply);
    CHECK_TEXT(map_report_text(report, MAP_SUMMARY), map_last_reply());
    send->done++;
    send->reply = reply;
    send->delivered = map_report_delivered(report, MAP_SUMMARY);
    snprintf(send->text, sizeof send->text, "%s", map_last_reply());
    map_report_free(report);
    map_agent_free(send->free_agent);
    map_job_free(send->free_job);
    map_queue_free(send->free_queue);
}

static void run(map_queue *queue)
{
    struct pollfd descriptor = {.fd = map_queue_fd(queue), .events = POLLIN};

    while (map_queue_pending(queue) > 0) {
        CHECK(poll(&descriptor, 1, 60 * 1000) == 1);
        CHECK(map_queue_dispatch(queue) > 0);
    }
    CHECK(poll(&descriptor, 1, 0) == 0);
}

static map_job *start(map_queue *queue, const map_agent *agent, const char *to, struct send *send)
{
    map_job *job = map_submit(agent, "alice@sender.example", to, "s", "c", queue, done, send, release);

    CHECK(job != NULL);
    CHECK(send->done == 0);
    return job;
}

static void failures_come_by_done(map_queue *queue)
{
    struct send sends[4] = {{0}};
    map_message *empty = map_message_new(), *refused = map_message_new();

    released = 0;
    CHECK(map_message_add_to(refused, "no address") == RE_INVALID_FORMAT);
    map_job_free(map_submit(NULL, NULL, "", NULL, " ", queue, done, &sends[0], release));
    map_job_free(start(queue, NULL, "bexample.org", &sends[1]));
    map_job_free(map_submit_message(NULL, empty, queue, done, &sends[2], release));
    map_job_free(map_submit_message(NULL, refused, queue, done, &sends[3], release));
    map_message_free(empty);
    map_message_free(refused);
    CHECK(sends[0].done + sends[1].done + sends[2].done + sends[3].done == 0);
    CHECK(map_queue_pending(queue) == 4);
    run(queue);
    CHECK_TEXT(sends[0].text, "RE_NO_EMPTY: <From, To, Subject, Content,>.");
    CHECK_TEXT(sends[1].text, "RE_INVALID_FORMAT: <bexample.org>.");
    CHECK_TEXT(sends[2].text, "RE_NO_EMPTY: <From,>.");
    CHECK(sends[3].reply == RE_INVALID_FORMAT);
    CHECK(released == 4);

    struct send none = {0};
    map_job_free(map_submit_message(NULL, NULL, queue, done, &none, release));
    run(queue);
    CHECK_TEXT(none.text, "RE_MISUSE: <message is NULL>.");
}

static void misuse_is_null(map_queue *queue)
{
    struct send send = {0};

    released = 0;
    CHECK(map_submit(NULL, "a", "b", "c", "d", NULL, done, &send, release) == NULL);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <queue is NULL>.");
    CHECK(released == 1);
    CHECK(map_submit(NULL, "a", "b", "c", "d", queue, NULL, &send, release) == NULL);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <done is NULL>.");
    CHECK(map_submit_message(NULL, NULL, NULL, done, &send, release) == NULL);
    CHECK(released == 3 && send.done == 0 && map_queue_pending(queue) == 0);

    map_queue_free(NULL);
    map_job_free(NULL);
    map_job_cancel(NULL);
    CHECK(map_queue_fd(NULL) == -1 && map_queue_dispatch(NULL) == 0 && map_queue_pending(NULL) == 0);
    CHECK(map_queue_drain(NULL, 1) == 0 && map_queue_set_wakeup(NULL, NULL, NULL) == RE_MISUSE);
    CHECK(map_job_stage(NULL) == MAP_STAGE_CHECK && map_job_sent(NULL) == 0);
    CHECK(map_job_total(NULL) == MAP_SIZE_UNKNOWN);
}

static const struct row {
    const char *to;
    map_stage stage;
    map_reply reply;
    map_answer delivered;
} rows[] = {
    {"bob@dns.example", MAP_STAGE_ROUTE, RE_CANCELLED, MAP_NO},
    {"bob@connect.example", MAP_STAGE_CONNECT, RE_CANCELLED, MAP_NO},
    {"bob@greeting.example", MAP_STAGE_GREETING, RE_CANCELLED, MAP_NO},
    {"bob@tls.example", MAP_STAGE_TLS, RE_CANCELLED, MAP_NO},
    {"bob@rcpt.example", MAP_STAGE_RCPT, RE_CANCELLED, MAP_NO},
    {"bob@final.example", MAP_STAGE_CONTENT, RE_UNCERTAIN, MAP_UNKNOWN},
};

/* The loop of a window: it ticks every 20 ms while a host is silent, watches the stage, and cancels after some ticks in it. */
static void cancel_at_each_stage(map_queue *queue, const map_agent *agent)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pollfd descriptor = {.fd = map_queue_fd(queue), .events = POLLIN};
        struct send send = {0};
        map_job *job = start(queue, agent, rows[i].to, &send);
        int ticks_in_stage = 0;

        for (int ticks = 0; ticks_in_stage < 5 && ticks < 3000; ticks++) {
            CHECK(poll(&descriptor, 1, 20) == 0);
            CHECK(map_queue_dispatch(queue) == 0);
            ticks_in_stage += map_job_stage(job) == rows[i].stage;
        }
        if (ticks_in_stage < 5)
            fprintf(stderr, "%s: ", rows[i].to);
        CHECK(ticks_in_stage == 5);
        map_job_cancel(job);
        run(queue);
        CHECK(send.done == 1 && send.reply == rows[i].reply && send.delivered == rows[i].delivered);
        map_job_cancel(job);
        map_job_free(job);
    }
}

/* Frees a queue with sends under way, and everything inside done, before it and after it. */
static void free_in_every_order(map_config *config)
{
    for (int order = 0; order < 24; order++) {
        map_queue *queue = map_queue_new();
        map_agent *agent = map_agent_new(config);
        map_message *message = map_message_new();
        struct send send = {0};
        map_job *job;

        released = 0;
        map_message_add_from(message, "alice@sender.example");
        map_message_add_to(message, "bob@greeting.example");
        map_message_set_text(message, "c");
        job = map_submit_message(agent, message, queue, done, &send, release);
        CHECK(job != NULL);
        for (int step = 0, left = 15, rank = order; step < 4; step++) {
            int choice = rank % (4 - step), handle = 0;

            rank /= 4 - step;
            for (;; handle++)
                if ((left >> handle & 1) && choice-- == 0)
                    break;
            left &= ~(1 << handle);
            if (handle == 0)
                map_queue_free(queue);
            else if (handle == 1)
                map_agent_free(agent);
            else if (handle == 2)
                map_message_free(message);
            else
                map_job_free(job);
        }
        CHECK(send.done == 0 && released == 1);
    }
    for (int others = 0; others < 3; others++) {
        struct send sends[3] = {{0}};
        map_queue *queue = map_queue_new();
        map_agent *agent = map_agent_new(config);

        released = 0;
        for (int i = 0; i < others; i++)
            map_job_free(start(queue, agent, "bob@greeting.example", &sends[1 + i]));
        sends[0].free_job = start(queue, agent, "bexample.org", &sends[0]);
        sends[0].free_queue = queue;
        sends[0].free_agent = agent;
        struct pollfd descriptor = {.fd = map_queue_fd(queue), .events = POLLIN};
        CHECK(poll(&descriptor, 1, 60 * 1000) == 1);
        CHECK(map_queue_dispatch(queue) == 1);
        CHECK(sends[0].done == 1 && sends[1].done == 0 && released == 1 + others);
    }
}

/* Dispatches again inside done. */
static void nested(map_reply reply, map_report *report, void *user_data)
{
    map_queue *queue = user_data;

    CHECK(reply == RE_NO_EMPTY);
    map_report_free(report);
    map_queue_dispatch(queue);
    CHECK(map_queue_drain(queue, 0) == map_queue_pending(queue));
}

static int woken[2];

static void wake(void *user_data)
{
    CHECK(user_data == &woken);
    CHECK(write(woken[1], "", 1) == 1);
}

static void wakeup_and_drain(map_queue *queue, const map_agent *agent)
{
    char octet;
    struct send send = {0}, silent = {0};

    CHECK(pipe(woken) == 0);
    CHECK(map_queue_set_wakeup(queue, wake, &woken) == RE_SUCCESS);
    for (int i = 0; i < 3; i++)
        map_job_free(map_submit(NULL, "", "", "", "", queue, nested, queue, release));
    CHECK(read(woken[0], &octet, 1) == 1);
    CHECK(map_queue_drain(queue, 60 * 1000) == 0);
    CHECK(map_queue_set_wakeup(queue, NULL, NULL) == RE_SUCCESS);
    map_job_free(start(queue, NULL, "bexample.org", &send));
    map_job *job = start(queue, agent, "bob@greeting.example", &silent);
    while (map_queue_drain(queue, 10) > 1)
        ;
    CHECK(send.done == 1 && silent.done == 0);
    map_job_cancel(job);
    CHECK(map_queue_drain(queue, 60 * 1000) == 0);
    CHECK(silent.done == 1 && silent.reply == RE_CANCELLED);
    map_job_free(job);
    close(woken[0]);
    close(woken[1]);
}

#define JOBS 250

static struct send sends[4][JOBS];
static map_queue *busy_queue;
static const map_agent *busy_agent;

static void *sender(void *argument)
{
    struct send *mine = argument;
    unsigned chance = (unsigned)(mine - &sends[0][0]) + 1;

    for (int i = 0; i < JOBS; i++) {
        const char *to = i % 4 ? "bob@greeting.example" : "bexample.org";
        map_job *job =
            map_submit(busy_agent, "alice@sender.example", to, "s", "c", busy_queue, done, &mine[i], release);

        CHECK(job != NULL);
        chance = chance * 1103515245U + 12345U;
        for (unsigned spin = chance >> 16 & 1023; spin > 0; spin--)
            (void)map_job_stage(job);
        map_job_cancel(job);
        map_job_free(job);
    }
    return NULL;
}

/* The allocator of AddressSanitizer may be locked by another thread at a fork, and stays so in the child. */
#ifdef __SANITIZE_ADDRESS__
#define FORKS 0
#else
#define FORKS 24
#endif

/* 1,000 jobs of 4 threads, cancelled at random, while children are forked that may touch nothing. */
static void disorder(const map_agent *agent)
{
    pthread_t threads[4];
    int finished = 0, forks = 0;

    busy_queue = map_queue_new();
    busy_agent = agent;
    released = 0;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, sender, sends[i]) == 0);
    while (finished < 4 * JOBS) {
        struct pollfd descriptor = {.fd = map_queue_fd(busy_queue), .events = POLLIN};

        CHECK(poll(&descriptor, 1, 60 * 1000) == 1);
        finished += (int)map_queue_dispatch(busy_queue);
        if (forks < FORKS) {
            struct send send = {0};
            const pid_t child = fork();
            int status;

            forks++;
            CHECK(child >= 0);
            if (child == 0) {
                const int before = released;

                alarm(60);
                CHECK(map_submit(NULL, "a", "b", "c", "d", busy_queue, done, &send, release) == NULL);
                CHECK(strstr(map_last_reply(), "RE_MISUSE") != NULL && strstr(map_last_reply(), "fork") != NULL);
                CHECK(released == before + 1 && map_queue_fd(busy_queue) == -1);
                CHECK(map_queue_dispatch(busy_queue) == 0 && map_queue_drain(busy_queue, 1000) == 0);
                CHECK(map_queue_set_wakeup(busy_queue, wake, NULL) == RE_MISUSE);
                map_queue_free(busy_queue);
                _exit(0);
            }
            CHECK(waitpid(child, &status, 0) == child && status == 0);
        }
    }
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(map_queue_pending(busy_queue) == 0 && released == 4 * JOBS && finished == 4 * JOBS);
    for (int i = 0; i < 4 * JOBS; i++) {
        const struct send *send = &sends[i / JOBS][i % JOBS];

        CHECK(send->done == 1);
        CHECK(send->reply == RE_CANCELLED || send->reply == RE_INVALID_FORMAT);
    }
    map_queue_free(busy_queue);
    CHECK(released == 4 * JOBS);
}

/* Two submits of a message that was not put together send the same message. */
static void a_message_stays_the_same(map_queue *queue)
{
    map_message *message = map_message_new();
    struct send first = {0}, second = {0};
    char id[200];

    map_message_add_from(message, "alice@sender.example");
    map_message_add_to(message, "bob@taken.example");
    map_message_set_subject(message, "kept");
    map_message_set_text(message, "c");
    map_job_free(map_submit_message(NULL, message, queue, done, &first, release));
    map_job_free(map_submit_message(NULL, message, queue, done, &second, release));
    CHECK(map_message_build(message) == RE_SUCCESS);
    snprintf(id, sizeof id, "%s", map_message_id(message));
    map_message_set_subject(message, "changed");
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(strcmp(id, map_message_id(message)) != 0);
    map_message_free(message);
    run(queue);
    CHECK(first.reply == RE_SUCCESS && second.reply == RE_SUCCESS);
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config);
    map_queue *queue = map_queue_new();

    CHECK(queue != NULL && map_queue_fd(queue) >= 0);
    use_sandbox(argc, argv);
    failures_come_by_done(queue);
    misuse_is_null(queue);
    cancel_at_each_stage(queue, agent);
    wakeup_and_drain(queue, agent);
    a_message_stays_the_same(queue);
    free_in_every_order(config);
    disorder(agent);
    map_config_free(config);
    map_queue_free(queue);
    map_agent_free(agent);
    return 0;
}
