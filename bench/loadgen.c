/* SPDX-License-Identifier: Apache-2.0 */
/* mintgate-loadgen: many TLS connections to many names, each counted for what it was. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "bench/load_options.h"
#include "bench/load_thread.h"

#define EXIT_SOME_FAILED 1
#define EXIT_SETUP 2
#define MAX_REPORT (1024 * 1024)

static void stop(int number)
{
    (void)number;
    atomic_store(&load_stop, true);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static enum mg_status open_output(const char *path, FILE **out, struct mg_error *error)
{
    *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    return *out != NULL ? MG_OK : mg_error_errno(error, "cannot open %s", path);
}

static enum mg_status close_output(FILE *file, const char *path, struct mg_error *error)
{
    int failed = ferror(file) | (file == stdout ? fflush(file) : fclose(file));
    return failed == 0 ? MG_OK : mg_error_errno(error, "cannot write %s", path);
}

/* run_threads starts all threads, waits for them, and merges what they saw into the first one's tally. */
static enum mg_status run_threads(struct load_thread *threads, const struct load_options *options,
                                  struct tally_run *run, struct mg_error *error)
{
    uint64_t start_ns = mg_clock_monotonic_ns(), end_ns = start_ns;
    for (unsigned i = 0; i < options->threads; i++) {
        threads[i].start_ns = start_ns;
        int failure = pthread_create(&threads[i].thread, NULL, load_thread_run, &threads[i]);
        if (failure != 0) {
            (void)mg_error_set(error, MG_IO, "cannot start a thread: %s", strerror(failure));
            fprintf(stderr, "mintgate-loadgen: %s\n", error->text);
            exit(EXIT_SETUP); /* others are running */
        }
    }
    for (unsigned i = 0; i < options->threads; i++) {
        pthread_join(threads[i].thread, NULL);
        end_ns = threads[i].finished_ns > end_ns ? threads[i].finished_ns : end_ns;
        if (i > 0) {
            tally_merge(&threads[0].tally, &threads[i].tally);
        }
    }
    run->started_at = (double)start_ns / (double)MG_NS_PER_SECOND;
    run->seconds = (double)(end_ns - start_ns) / (double)MG_NS_PER_SECOND;
    run->cpu_seconds = cpu_seconds();
    return MG_OK;
}

static enum mg_status report(const struct tally *tally, const struct load_options *options, const struct tally_run *run,
                             struct mg_error *error)
{
    const char *path = options->json != NULL ? options->json : "-";
    struct mg_buffer text;
    FILE *file;
    mg_buffer_init(&text, MAX_REPORT);
    (options->json != NULL ? tally_report_json : tally_report_text)(tally, run, &text);
    enum mg_status status = mg_buffer_ok(&text) ? open_output(path, &file, error) : MG_MEMORY;
    if (status == MG_OK) {
        fwrite(text.data, 1, text.len, file);
        status = close_output(file, path, error);
    }
    mg_buffer_free(&text);
    return status;
}

static enum mg_status run_load(const struct load_options *options, uint64_t *num_failed, struct mg_error *error)
{
    FILE *records = NULL;
    struct tally_run run = {.timeline = options->timeline, .distribution = options->distribution};
    struct load_thread *threads = calloc(options->threads, sizeof(*threads));
    enum mg_status status = threads == NULL ? MG_MEMORY : MG_OK;
    if (status == MG_OK && options->records != NULL) {
        status = open_output(options->records, &records, error);
    }
    for (unsigned i = 0; i < options->threads && status == MG_OK; i++) {
        threads[i].options = options;
        threads[i].number = i;
        threads[i].records = records;
        status = load_thread_init(&threads[i], error);
    }
    if (status == MG_OK) {
        status = run_threads(threads, options, &run, error);
    }
    if (records != NULL && status == MG_OK) {
        status = close_output(records, options->records, error);
    }
    if (status == MG_OK) {
        status = report(&threads[0].tally, options, &run, error);
        *num_failed = tally_failed(&threads[0].tally);
    }
    for (unsigned i = 0; threads != NULL && i < options->threads && threads[i].options != NULL; i++) {
        load_thread_free(&threads[i]);
    }
    free(threads);
    return status;
}

int main(int argc, char **argv)
{
    struct load_options options;
    struct mg_error error = {.text = ""};
    uint64_t num_failed = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(load_options_usage, stdout);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, stop);
    allow_descriptors();
    enum mg_status status = load_options_parse(&options, argc, argv, &error);
    if (status == MG_OK) {
        status = run_load(&options, &num_failed, &error);
    }
    if (status != MG_OK) {
        fprintf(stderr, "mintgate-loadgen: %s\nTry --help.\n", error.text);
        return EXIT_SETUP;
    }
    return num_failed == 0 ? 0 : EXIT_SOME_FAILED;
}
