/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/json.h"
#include "bench/tally.h"

#define US_PER_MS 1000.0

static const struct {
    const char *word;
    double percent;
} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};

struct named_histogram {
    const char *name;
    const struct histogram *histogram;
};
#define NUM_LATENCIES 4

static void list_latencies(struct named_histogram out[NUM_LATENCIES], const struct tally *tally)
{
    out[0] = (struct named_histogram){"connect", &tally->connect_us};
    out[1] = (struct named_histogram){"handshake", &tally->handshake_us};
    out[2] = (struct named_histogram){"total", &tally->total_us};
    out[3] = (struct named_histogram){"start_lag", &tally->lag_us};
}

static double rate_of(const struct tally *tally, const struct tally_run *run)
{
    return run->seconds > 0 ? (double)tally->connections / run->seconds : 0;
}

static size_t num_seconds(const struct tally *tally)
{
    size_t num = TALLY_MAX_SECONDS;
    while (num > 0 && tally->timeline[num - 1] == NULL) {
        num--;
    }
    return num;
}

static void text_words(const struct word_counts *counts, const char *title, struct mg_buffer *out)
{
    mg_buffer_append_format(out, "\n%s\n", title);
    for (size_t i = 0; i < counts->num_entries; i++) {
        mg_buffer_append_format(out, "  %10" PRIu64 "  %s\n", counts->entries[i].count, counts->entries[i].word);
    }
    if (counts->num_others > 0) {
        mg_buffer_append_format(out, "  %10" PRIu64 "  (others)\n", counts->num_others);
    }
}

static void text_latencies(const struct tally *tally, struct mg_buffer *out)
{
    struct named_histogram latencies[NUM_LATENCIES];
    list_latencies(latencies, tally);
    mg_buffer_append_text(out, "\nLatency, ms       p50        p90        p99      p99.9     p99.99        max\n");
    for (size_t i = 0; i < NUM_LATENCIES; i++) {
        mg_buffer_append_format(out, "  %-9s", latencies[i].name);
        for (size_t j = 0; j < MG_ARRAY_LEN(percentiles); j++) {
            uint64_t value_us = histogram_percentile(latencies[i].histogram, percentiles[j].percent);
            mg_buffer_append_format(out, " %10.3f", (double)value_us / US_PER_MS);
        }
        mg_buffer_append_format(out, " %10.3f\n", (double)latencies[i].histogram->max / US_PER_MS);
    }
}

static void text_timeline(const struct tally *tally, struct mg_buffer *out)
{
    static const struct tally_second nothing;
    mg_buffer_append_text(out, "\nSecond         ok     failed    p50 ms    p99 ms\n");
    for (size_t i = 0; i < num_seconds(tally); i++) {
        const struct tally_second *second = tally->timeline[i] != NULL ? tally->timeline[i] : &nothing;
        mg_buffer_append_format(out, "  %4zu %10" PRIu64 " %10" PRIu64 " %9.3f %9.3f\n", i, second->ok, second->failed,
                                (double)histogram_percentile(&second->total_us, 50) / US_PER_MS,
                                (double)histogram_percentile(&second->total_us, 99) / US_PER_MS);
    }
}

void tally_report_text(const struct tally *tally, const struct tally_run *run, struct mg_buffer *out)
{
    mg_buffer_append_format(out,
                            "%" PRIu64 " connections in %.2f s (%.0f a second), %" PRIu64 " failed, %" PRIu64
                            " due but never started, %" PRIu64 " offered a session, %" PRIu64
                            " resumed, %zu distinct leaves, %zu distinct serials, %" PRIu64 " body bytes, %" PRIu64
                            " ended without close_notify, %.2f s of CPU here\n",
                            tally->connections, run->seconds, rate_of(tally, run), tally_failed(tally),
                            tally->not_started, tally->offered, tally->resumed, tally->leaves.count,
                            tally->serials.count, tally->body_bytes, tally->unclean_closes, run->cpu_seconds);
    text_words(&tally->results, "Results", out);
    text_words(&tally->issuers, "Issuers", out);
    text_words(&tally->parameters, "Parameters", out);
    text_latencies(tally, out);
    if (run->timeline) {
        text_timeline(tally, out);
    }
}

static void json_words(const struct word_counts *counts, const char *key, struct mg_buffer *out)
{
    mg_buffer_append_format(out, ",\n \"%s\": {", key);
    for (size_t i = 0; i < counts->num_entries; i++) {
        mg_buffer_append_text(out, i == 0 ? "" : ", ");
        mg_json_quote(out, counts->entries[i].word);
        mg_buffer_append_format(out, ": %" PRIu64, counts->entries[i].count);
    }
    if (counts->num_others > 0) {
        mg_buffer_append_format(out, ", \"(others)\": %" PRIu64, counts->num_others);
    }
    mg_buffer_append_text(out, "}");
}

/* json_distribution has the smallest value of each bucket, and how many are in it, but for empty ones. */
static void json_distribution(const struct histogram *histogram, struct mg_buffer *out)
{
    const char *separator = "";
    mg_buffer_append_text(out, ", \"distribution\": [");
    for (size_t i = 0; i < HISTOGRAM_NUM_BUCKETS; i++) {
        if (histogram->buckets[i] > 0) {
            mg_buffer_append_format(out, "%s[%" PRIu64 ", %" PRIu32 "]", separator, histogram_lowest_of(i),
                                    histogram->buckets[i]);
            separator = ", ";
        }
    }
    mg_buffer_append_text(out, "]");
}

static void json_latencies(const struct tally *tally, bool distribution, struct mg_buffer *out)
{
    struct named_histogram latencies[NUM_LATENCIES];
    list_latencies(latencies, tally);
    mg_buffer_append_text(out, ",\n \"latency_us\": {");
    for (size_t i = 0; i < NUM_LATENCIES; i++) {
        mg_buffer_append_format(out, "%s\n  \"%s\": {", i == 0 ? "" : ",", latencies[i].name);
        for (size_t j = 0; j < MG_ARRAY_LEN(percentiles); j++) {
            mg_buffer_append_format(out, "\"%s\": %" PRIu64 ", ", percentiles[j].word,
                                    histogram_percentile(latencies[i].histogram, percentiles[j].percent));
        }
        mg_buffer_append_format(out, "\"max\": %" PRIu64, latencies[i].histogram->max);
        if (distribution) {
            json_distribution(latencies[i].histogram, out);
        }
        mg_buffer_append_text(out, "}");
    }
    mg_buffer_append_text(out, "}");
}

static void json_timeline(const struct tally *tally, struct mg_buffer *out)
{
    static const struct tally_second nothing;
    mg_buffer_append_text(out, ",\n \"timeline\": [");
    for (size_t i = 0; i < num_seconds(tally); i++) {
        const struct tally_second *second = tally->timeline[i] != NULL ? tally->timeline[i] : &nothing;
        mg_buffer_append_format(
            out,
            "%s\n  {\"ok\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"p50_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 "}",
            i == 0 ? "" : ",", second->ok, second->failed, histogram_percentile(&second->total_us, 50),
            histogram_percentile(&second->total_us, 99));
    }
    mg_buffer_append_text(out, "]");
}

void tally_report_json(const struct tally *tally, const struct tally_run *run, struct mg_buffer *out)
{
    mg_buffer_append_format(
        out,
        "{\"connections\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"not_started\": %" PRIu64 ", \"offered\": %" PRIu64
        ", \"resumed\": %" PRIu64 ", \"distinct_leaves\": %zu, \"distinct_serials\": %zu, \"body_bytes\": %" PRIu64
        ", \"unclean_closes\": %" PRIu64 ",\n \"started_at\": %.6f, \"seconds\": %.3f, \"cpu_seconds\": %.3f",
        tally->connections, tally_failed(tally), tally->not_started, tally->offered, tally->resumed,
        tally->leaves.count, tally->serials.count, tally->body_bytes, tally->unclean_closes, run->started_at,
        run->seconds, run->cpu_seconds);
    json_words(&tally->results, "results", out);
    json_words(&tally->issuers, "issuers", out);
    json_words(&tally->parameters, "parameters", out);
    json_latencies(tally, run->distribution, out);
    if (run->timeline) {
        json_timeline(tally, out);
    }
    mg_buffer_append_text(out, "}\n");
}
