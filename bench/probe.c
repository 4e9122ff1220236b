/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/probe.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench/histogram.h"
#include "bench/process_cpu.h"

#define MAX_WORD 31

/* struct run is what the threads of one measurement share. */
struct run {
    const struct probe *probe;
    uint64_t duration_ns;
    unsigned num_threads;
    unsigned long parameter;
    pthread_barrier_t ready;   /* the threads and their parent: all are set up */
    pthread_barrier_t go;      /* the same: the clocks are read */
    pthread_barrier_t over;    /* the same: all have done their last step */
    pthread_barrier_t weighed; /* the threads: nothing is torn down before */
};

struct worker {
    struct run *run;
    pthread_t thread;
    unsigned index;
    uint64_t count, cpu_ns, bytes;
    struct histogram *latencies; /* of a probe that times its steps */
};

static uint64_t thread_cpu_ns(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return (uint64_t)spent.tv_sec * MG_NS_PER_SECOND + (uint64_t)spent.tv_nsec;
}

static void repeat(struct worker *worker, void *state)
{
    const struct probe *probe = worker->run->probe;
    uint64_t cpu_start_ns = thread_cpu_ns(), now_ns = mg_clock_monotonic_ns();
    uint64_t end_ns = now_ns + worker->run->duration_ns;
    while (now_ns < end_ns) {
        uint64_t start_ns = now_ns;
        worker->count += probe->step(state);
        now_ns = mg_clock_monotonic_ns();
        if (probe->times_steps) {
            histogram_add(worker->latencies, now_ns - start_ns);
        }
    }
    worker->count += probe->drain != NULL ? probe->drain(state) : 0;
    worker->cpu_ns = thread_cpu_ns() - cpu_start_ns;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct run *run = worker->run;
    void *state = run->probe->setup != NULL ? run->probe->setup(worker->index, run->num_threads, run->parameter) : NULL;
    pthread_barrier_wait(&run->ready);
    pthread_barrier_wait(&run->go);
    repeat(worker, state);
    pthread_barrier_wait(&run->over);
    worker->bytes = run->probe->weigh != NULL ? run->probe->weigh(state) : 0;
    pthread_barrier_wait(&run->weighed);
    if (run->probe->teardown != NULL) {
        run->probe->teardown(state);
    }
    return NULL;
}

static enum mg_status start_workers(struct run *run, struct worker *workers, struct mg_error *error)
{
    for (unsigned i = 0; i < run->num_threads; i++) {
        workers[i] = (struct worker){.run = run, .index = i};
        if (run->probe->times_steps && (workers[i].latencies = calloc(1, sizeof(struct histogram))) == NULL) {
            return mg_error_set(error, MG_MEMORY, "no memory to measure with");
        }
    }
    for (unsigned i = 0; i < run->num_threads; i++) {
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            fprintf(stderr, "cannot start the threads of %s\n", run->probe->name);
            exit(1); /* the ones that are there wait for it, and nothing could be measured */
        }
    }
    return MG_OK;
}

/* add_up frees what the threads noted. */
static void add_up(struct worker *workers, unsigned num_threads, struct bench_sample *out)
{
    struct histogram *all = workers[0].latencies;
    for (unsigned i = 0; i < num_threads; i++) {
        out->count += workers[i].count;
        out->cpu_ns += workers[i].cpu_ns;
        out->bytes += workers[i].bytes;
        if (i > 0 && all != NULL) {
            histogram_merge(all, workers[i].latencies);
        }
    }
    if (all != NULL) {
        out->p50_ns = histogram_percentile(all, 50);
        out->p99_ns = histogram_percentile(all, 99);
        out->p999_ns = histogram_percentile(all, 99.9);
    }
}

/* watch reads the watched processes' clocks; no process is 0. */
static bool watch(pid_t watched, uint64_t *out)
{
    *out = 0;
    return watched == 0 || process_tree_cpu_ns(watched, out);
}

static bool measure(struct run *run, struct worker *workers, pid_t watched, struct bench_sample *out)
{
    uint64_t before_ns, after_ns;
    pthread_barrier_wait(&run->ready);
    bool ok = watch(watched, &before_ns);
    uint64_t start_ns = mg_clock_monotonic_ns();
    pthread_barrier_wait(&run->go);
    pthread_barrier_wait(&run->over);
    out->wall_ns = mg_clock_monotonic_ns() - start_ns;
    ok = watch(watched, &after_ns) && ok;
    out->watched_ns = after_ns - before_ns;
    for (unsigned i = 0; i < run->num_threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    return ok;
}

static void free_workers(struct worker *workers, unsigned num_threads)
{
    for (unsigned i = 0; i < num_threads; i++) {
        free(workers[i].latencies);
    }
}

enum mg_status probe_run(const struct probe *probe, unsigned milliseconds, unsigned num_threads,
                         unsigned long parameter, pid_t watched, struct bench_sample *out, struct mg_error *error)
{
    struct worker workers[PROBE_MAX_THREADS] = {{.run = NULL}};
    struct run run = {
        .probe = probe, .duration_ns = milliseconds * MG_NS_PER_MS, .num_threads = num_threads, .parameter = parameter};
    *out = (struct bench_sample){.count = 0};
    if (num_threads == 0 || num_threads > PROBE_MAX_THREADS) {
        return mg_error_set(error, MG_LIMIT, "1 to %d threads", PROBE_MAX_THREADS);
    }
    pthread_barrier_init(&run.ready, NULL, num_threads + 1);
    pthread_barrier_init(&run.go, NULL, num_threads + 1);
    pthread_barrier_init(&run.over, NULL, num_threads + 1);
    pthread_barrier_init(&run.weighed, NULL, num_threads);
    enum mg_status status = start_workers(&run, workers, error);
    if (status == MG_OK && !measure(&run, workers, watched, out)) {
        status = mg_error_set(error, MG_IO, "process %d does not run", watched);
    }
    if (status == MG_OK) {
        add_up(workers, num_threads, out);
    }
    free_workers(workers, num_threads);
    pthread_barrier_destroy(&run.ready);
    pthread_barrier_destroy(&run.go);
    pthread_barrier_destroy(&run.over);
    pthread_barrier_destroy(&run.weighed);
    return status;
}

static const struct probe *find(const struct probe_helper *helper, const char *name)
{
    for (size_t i = 0; i < helper->num_probes; i++) {
        if (strcmp(helper->probes[i].name, name) == 0) {
            return &helper->probes[i];
        }
    }
    return NULL;
}

static enum mg_status obey(const struct probe_helper *helper, const char *line, struct mg_error *error)
{
    char name[MAX_WORD + 1], reply[BENCH_SAMPLE_MAX_LINE];
    unsigned milliseconds, num_threads;
    unsigned long parameter;
    struct bench_sample sample;
    if (sscanf(line, "run %31s %u %u %lu", name, &milliseconds, &num_threads, &parameter) != 4) {
        return mg_error_set(error, MG_INVALID, "not understood: %s", line);
    }
    const struct probe *probe = find(helper, name);
    if (probe == NULL) {
        return mg_error_set(error, MG_NOT_FOUND, "no probe is called %s", name);
    }
    enum mg_status status = probe_run(probe, milliseconds, num_threads, parameter, helper->watched, &sample, error);
    if (status == MG_OK) {
        bench_sample_write(&sample, reply);
        fputs(reply, stdout);
        fflush(stdout);
    }
    return status;
}

int probe_serve(const struct probe_helper *helper)
{
    char *line = NULL;
    size_t size = 0;
    struct mg_error error;
    enum mg_status status = MG_OK;
    signal(SIGINT, SIG_IGN);
    printf("ready %d %s\n", helper->server, helper->directory != NULL ? helper->directory : "-");
    fflush(stdout);
    while (status == MG_OK && getline(&line, &size, stdin) > 0) {
        status = obey(helper, line, &error);
    }
    free(line);
    if (status != MG_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    return 0;
}
