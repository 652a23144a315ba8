/* Loops of any number of parts on any number of threads, from several callers at once and after a fork, for
   ThreadSanitizer: each part is to be done once, and by one thread at a time. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "team.h"

#define MOST_PARTS 64
#define LOOPS 4000

typedef struct {
    int64_t done[MOST_PARTS];
    int64_t working[32];
} Record;

typedef struct {
    unsigned seed;
    int64_t loops;
} Order;

static void do_part(const void *context, int64_t part, Vector *scratch) {
    Record *record = (Record *)context;
    record->done[part]++; /* not atomic: no other thread has this part */
    scratch[0][0] += 1;   /* nor this scratch */
    for (volatile int i = 0; i < 200; i++) {}
}

static void *call(void *argument) {
    Order *order = argument;
    Vector *scratch = aligned_alloc(sizeof(Vector), 32 * sizeof(Vector));
    memset(scratch, 0, 32 * sizeof(Vector));
    Real expected = 0, found = 0;
    for (int64_t n = 0; n < order->loops; n++) {
        Record record = {0};
        int64_t parts = rand_r(&order->seed) % MOST_PARTS, threads = 1 + rand_r(&order->seed) % 8;
        Workspace work = {.threads = threads, .scratch_vectors = 1, .scratch = scratch};
        work.spin = rand_r(&order->seed) % 3 * 20000;
        work.timed = rand_r(&order->seed) % 2;
        in_parallel(&work, parts, do_part, &record);
        for (int64_t part = 0; part < MOST_PARTS; part++)
            if (record.done[part] != (part < parts)) exit(2);
        expected += parts;
    }
    for (int t = 0; t < 32; t++) found += scratch[t][0];
    free(scratch);
    if (found != expected) exit(3);
    return 0;
}

int main(void) {
    pthread_t callers[3];
    Order orders[3] = {{1, LOOPS}, {2, LOOPS}, {3, LOOPS}};
    for (int i = 0; i < 3; i++) pthread_create(callers + i, 0, call, orders + i);
    for (int i = 0; i < 3; i++) pthread_join(callers[i], 0);
    pid_t child = fork();
    if (!child) {
        Order order = {4, LOOPS / 4};
        call(&order);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    int64_t ids[8];
    printf("%d helpers\n", (int)helper_ids(ids, 8));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}
