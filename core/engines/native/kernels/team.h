/* Threads: those that share out the parts of a loop, beside the one that calls.

   A library's helpers are made once and wait for loops. Nobody waits for them: a helper that gets no core while a loop
   lasts has taken no part of it, and the loop ends without it. Only who is in the middle of a part is waited for. So a
   loop may have another number of threads than the one before, and another program that takes a core away costs at most
   the part that was being worked on there.

   Whoever waits spins first, as waking up takes longer than most loops are apart, and sleeps after `spin` nanoseconds,
   which leaves the core to others. */

#ifndef TEAM_H
#define TEAM_H

#include <pthread.h>
#include <signal.h>
#include <time.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "types.h"

#define MOST_HELPERS 255
#define HELPER_STACK (1 << 20) /* bytes */
#define LOOKS 32               /* at what is waited for, to one look at the clock */

/* Does one part of a loop's work in a thread's scratch. */
typedef void DoPart(const void *context, int64_t part, Vector *scratch);

typedef struct {
    const Workspace *work;
    DoPart *do_part;
    const void *context;
    int64_t parts, next;
    uint64_t rounding; /* how the caller's thread treats numbers: the others do the same */
} Loop;

typedef struct {
    pthread_cond_t wake;
    int sleeps;
    int64_t id; /* of the system, 0 where it has none */
} Helper;

/* `state` has the number of the loop in its upper half; below that OPEN, as long as helpers may come in, how many of
   them, and how many are in. The mutex is for going to sleep and waking up alone. */
#define OPEN 0x80000000u
#define WANTED(state) ((int64_t)((state) >> 16 & 0x7fff))
#define INSIDE(state) ((state)&0xffff)
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t left; /* by the last helper, for a caller who sleeps */
    int taken;           /* by a caller; one who comes meanwhile works alone */
    int helpers, caller_sleeps;
    int64_t spin, waited; /* nanoseconds; `waited` for a core, by all threads, where loops are `timed` */
    uint64_t state;
    Loop *loop;
    Helper helper[MOST_HELPERS];
} Team;

static Team team = {.mutex = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};

#define READ(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)
#define WRITE(place, value) __atomic_store_n(&(place), value, __ATOMIC_SEQ_CST)

INLINE void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The part of the processor's state that says whether denormal numbers count as 0. */
INLINE uint64_t rounding(void) {
#if defined(__SSE__)
    return __builtin_ia32_stmxcsr();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
#else
    return 0;
#endif
}

INLINE void set_rounding(uint64_t value) {
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr((unsigned)value);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(value));
#else
    (void)value;
#endif
}

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Pause; returns whether it is time to stop spinning. `looks` is counted up, `since` is when it began. */
static int has_spun(int *looks, int64_t since, int64_t spin) {
    pause_briefly();
    return ++*looks % LOOKS == 0 && nanoseconds(CLOCK_MONOTONIC) - since >= spin;
}

/* Whoever has done one part takes the next, as a thread may be slowed down by another program. No part adds to what
   another one does, so that neither their order nor the number of threads matters. */
static void take_parts(Loop *loop, int64_t thread) {
    const Workspace *work = loop->work;
    int64_t wall = work->timed ? nanoseconds(CLOCK_MONOTONIC) : 0;
    int64_t busy = work->timed ? nanoseconds(CLOCK_THREAD_CPUTIME_ID) : 0;
    Vector *scratch = work->scratch + thread * work->scratch_vectors;
    for (int64_t part; (part = __atomic_fetch_add(&loop->next, 1, __ATOMIC_RELAXED)) < loop->parts;)
        loop->do_part(loop->context, part, scratch);
    if (!work->timed) return;
    busy = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - busy;
    __atomic_fetch_add(&team.waited, nanoseconds(CLOCK_MONOTONIC) - wall - busy, __ATOMIC_RELAXED);
}

/* ---- A helper ---- */

/* Whether this helper is to take part in a loop that is not the one it has `done` last. */
static int is_called(uint64_t state, int64_t number, uint32_t done) {
    return (state & OPEN) && number < WANTED(state) && (uint32_t)(state >> 32) != done;
}

static void wait_for_loop(Helper *me, int64_t number, uint32_t done) {
    int64_t since = nanoseconds(CLOCK_MONOTONIC);
    for (int looks = 0; !is_called(READ(team.state), number, done);) {
        if (number < READ(team.helpers) && !has_spun(&looks, since, READ(team.spin))) continue;
        pthread_mutex_lock(&team.mutex);
        WRITE(me->sleeps, 1);
        /* Looked at once more: a caller who has not seen that this thread sleeps has written the state before. */
        if (!is_called(READ(team.state), number, done)) pthread_cond_wait(&me->wake, &team.mutex);
        WRITE(me->sleeps, 0);
        pthread_mutex_unlock(&team.mutex);
        since = nanoseconds(CLOCK_MONOTONIC);
    }
}

static void *help(void *argument) {
    Helper *me = argument;
    int64_t number = me - team.helper;
#ifdef __linux__
    WRITE(me->id, (int64_t)syscall(SYS_gettid));
#endif
    for (uint32_t done = 0;;) {
        wait_for_loop(me, number, done);
        uint64_t state = READ(team.state);
        if (!is_called(state, number, done)) continue;
        if (!__atomic_compare_exchange_n(&team.state, &state, state + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue; /* another one came or went, or the loop is over */
        done = (uint32_t)(state >> 32);
        Loop *loop = team.loop; /* which stays as long as somebody is in it */
        if (rounding() != loop->rounding) set_rounding(loop->rounding);
        take_parts(loop, number + 1);
        state = __atomic_sub_fetch(&team.state, 1, __ATOMIC_SEQ_CST);
        if (INSIDE(state) == 0 && READ(team.caller_sleeps)) {
            pthread_mutex_lock(&team.mutex);
            pthread_cond_signal(&team.left);
            pthread_mutex_unlock(&team.mutex);
        }
    }
    return 0;
}

/* ---- The caller ---- */

static void forget_helpers(void) { /* a process that was forked has none */
    memset(&team, 0, sizeof(team));
    pthread_mutex_init(&team.mutex, 0);
    pthread_cond_init(&team.left, 0);
}

/* Make sure of so many helpers, or of as many as there can be. Returns how many there are. */
static int64_t with_helpers(int64_t wanted) {
    static int64_t made;
    static pid_t process;
    if (process != getpid()) {
        if (!process) pthread_atfork(0, 0, forget_helpers);
        process = getpid(), made = 0;
    }
    if (wanted > MOST_HELPERS) wanted = MOST_HELPERS;
    if (made >= wanted) return wanted;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    pthread_attr_t options;
    pthread_attr_init(&options);
    pthread_attr_setstacksize(&options, HELPER_STACK);
    pthread_attr_setdetachstate(&options, PTHREAD_CREATE_DETACHED);
    for (pthread_t thread; made < wanted; made++) {
        pthread_cond_init(&team.helper[made].wake, 0);
        if (pthread_create(&thread, &options, help, team.helper + made)) break;
    }
    pthread_attr_destroy(&options);
    pthread_sigmask(SIG_SETMASK, &before, 0);
    return smaller((int)made, (int)wanted);
}

static void let_helpers_in(Loop *loop, int64_t helpers) {
    WRITE(team.helpers, (int)loop->work->threads - 1); /* those beyond sleep, the others wait for the next loop */
    WRITE(team.spin, loop->work->spin);
    team.loop = loop;
    uint64_t number = ((READ(team.state) >> 32) + 1) & 0xffffffffu;
    WRITE(team.state, (number ? number : 1) << 32 | OPEN | (uint64_t)helpers << 16);
    for (int64_t h = 0; h < helpers; h++)
        if (READ(team.helper[h].sleeps)) {
            pthread_mutex_lock(&team.mutex);
            pthread_cond_signal(&team.helper[h].wake);
            pthread_mutex_unlock(&team.mutex);
        }
}

/* Let no more helpers in, and wait for those that are. */
static void wait_for_helpers(int64_t spin) {
    if (INSIDE(__atomic_and_fetch(&team.state, ~0xffff0000ull, __ATOMIC_SEQ_CST)) == 0) return;
    int64_t since = nanoseconds(CLOCK_MONOTONIC);
    for (int looks = 0; !has_spun(&looks, since, spin);)
        if (INSIDE(READ(team.state)) == 0) return;
    pthread_mutex_lock(&team.mutex);
    WRITE(team.caller_sleeps, 1);
    while (INSIDE(READ(team.state))) pthread_cond_wait(&team.left, &team.mutex);
    WRITE(team.caller_sleeps, 0);
    pthread_mutex_unlock(&team.mutex);
}

/* All parts, on as many threads as the workspace says, or on as many as there are. */
static void in_parallel(const Workspace *work, int64_t parts, DoPart *do_part, const void *context) {
    Loop loop = {work, do_part, context, parts, 0, rounding()};
    int64_t helpers = (work->threads < parts ? work->threads : parts) - 1;
    if (helpers < 1 || __atomic_exchange_n(&team.taken, 1, __ATOMIC_SEQ_CST)) {
        take_parts(&loop, 0);
        return;
    }
    helpers = with_helpers(helpers);
    let_helpers_in(&loop, helpers);
    take_parts(&loop, 0);
    wait_for_helpers(work->spin);
    WRITE(team.taken, 0);
}

/* ---- What Python asks ---- */

/* The ids of helpers that the system has for them, so many at most; returns how many there are. */
int64_t helper_ids(int64_t *into, int64_t most) {
    int64_t count = 0;
    for (; count < MOST_HELPERS && count < most && READ(team.helper[count].id); count++)
        into[count] = READ(team.helper[count].id);
    return count;
}

/* Nanoseconds that threads have waited for a core in loops that were `timed`. */
int64_t waited_for_cores(void) { return READ(team.waited); }

#endif
