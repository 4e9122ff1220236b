/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include <stdio.h>

#include "base/clock.h"

static const char *const role_names[] = {[BENCH_LIMIT] = "limit", [BENCH_OURS] = "ours", [BENCH_BASELINE] = "baseline"};

static const char *const value_keys[BENCH_NUM_VALUES] = {
    [BENCH_PER_CPU] = "per_cpu_second", [BENCH_PER_SECOND] = "per_second",
    [BENCH_LATENCY] = "p50_ns",         [BENCH_P99] = "p99_ns",
    [BENCH_P999] = "p999_ns",           [BENCH_BYTES] = "bytes"};
static const char *const value_words[BENCH_NUM_VALUES] = {
    [BENCH_PER_CPU] = "CPU", [BENCH_PER_SECOND] = "time", [BENCH_LATENCY] = "p50",
    [BENCH_P99] = "p99",     [BENCH_P999] = "p99.9",      [BENCH_BYTES] = "bytes"};
static const char *const cpu_keys[] = {
    [BENCH_CPU_OWN] = "own", [BENCH_CPU_WATCHED] = "signer", [BENCH_CPU_ALL] = "own and signer"};

/* The table */

/* format_count writes a number with its thousands apart. */
static void format_count(double value, char out[32])
{
    char digits[32];
    int len = snprintf(digits, sizeof(digits), "%.0f", value), end = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[end++] = ',';
        }
        out[end++] = digits[i];
    }
    out[end] = '\0';
}

static void text_latency(const struct bench *bench, const struct bench_group *group, size_t row, struct mg_buffer *out)
{
    double p50[BENCH_MAX_ROUNDS], p99[BENCH_MAX_ROUNDS];
    for (size_t i = 0; i < bench->options.rounds; i++) {
        p50[i] = (double)group->samples[i * group->num_rows + row].p50_ns / 1000;
        p99[i] = (double)group->samples[i * group->num_rows + row].p99_ns / 1000;
    }
    double median = bench_spread_of(p50, bench->options.rounds).median;
    if (median > 0) {
        mg_buffer_append_format(out, " %9.2f %9.2f", median, bench_spread_of(p99, bench->options.rounds).median);
    } else {
        mg_buffer_append_format(out, " %9s %9s", "", "");
    }
}

/* text_ratios has the row's own ratio first, with its quartiles, and then the others that there are. */
static void text_ratios(const struct bench *bench, const struct bench_group *group, size_t index, struct mg_buffer *out)
{
    const struct bench_row *row = &group->rows[index];
    struct bench_spread own = bench_ratio_of_row(bench, group, index, row->value);
    mg_buffer_append_format(out, "  %.3f of %s (%.3f to %.3f)", own.median, value_words[row->value], own.low, own.high);
    if (row->against > 0) {
        mg_buffer_append_format(out, " to %s", group->rows[row->against].name);
    }
    if (row->aim > 0) {
        mg_buffer_append_format(out, ", aim %.2f", row->aim);
    }
    for (enum bench_value value = 0; value < BENCH_NUM_VALUES; value++) {
        double median = bench_ratio_of_row(bench, group, index, value).median;
        if (value != row->value && median > 0) {
            mg_buffer_append_format(out, "; %.3f of %s", median, value_words[value]);
        }
    }
}

static void text_row(const struct bench *bench, const struct bench_group *group, size_t index, struct mg_buffer *out)
{
    const struct bench_row *row = &group->rows[index];
    char cpu[32], wall[32];
    format_count(bench_spread_of_row(bench, group, index, BENCH_PER_CPU).median, cpu);
    format_count(bench_spread_of_row(bench, group, index, BENCH_PER_SECOND).median, wall);
    mg_buffer_append_format(out, "  %-8s %-46s %12s %12s", role_names[row->role], row->name, cpu, wall);
    text_latency(bench, group, index, out);
    double bytes = bench_spread_of_row(bench, group, index, BENCH_BYTES).median;
    if (bytes > 0) {
        mg_buffer_append_format(out, "  %.0f bytes each", bytes);
    }
    if (row->max_bytes > 0) {
        mg_buffer_append_format(out, ", aim %.0f", row->max_bytes);
    }
    if (index != row->against) {
        text_ratios(bench, group, index, out);
    }
    mg_buffer_append_text(out, "\n");
}

void report_text(const struct bench *bench, const struct report_run *run, struct mg_buffer *out)
{
    const struct bench_machine *machine = &run->machine;
    mg_buffer_append_format(out, "%s; %ld processors%s, Linux %s; load %.1f; commit %.12s\n", machine->cpu,
                            machine->num_cpus, machine->has_ifma ? " with AVX-512 IFMA" : "", machine->kernel,
                            machine->load, machine->commit);
    mg_buffer_append_format(out,
                            "medians of %u rounds of %u ms each, after one to warm up; ratios by round (quartiles)",
                            bench->options.rounds, bench->options.milliseconds);
    if (run->cpu >= 0) {
        mg_buffer_append_format(out, "; all on processor %d", run->cpu);
    }
    mg_buffer_append_text(out, "\n");
    for (size_t i = 0; i < bench->num_groups; i++) {
        const struct bench_group *group = &bench->groups[i];
        mg_buffer_append_format(out, "\n%-57s %12s %12s %9s %9s  %s\n", group->title, "per CPU s", "per second",
                                "p50 us", "p99 us", "to the limit");
        for (size_t row = 0; row < group->num_rows; row++) {
            text_row(bench, group, row, out);
        }
    }
}

/* JSON */

static json_t *json_spread(struct bench_spread spread)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "min", spread.min, "low_quartile", spread.low, "median",
                     spread.median, "high_quartile", spread.high, "max", spread.max);
}

static json_t *json_sample(const struct bench_sample *sample)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)sample->count, "wall_ns",
                     (json_int_t)sample->wall_ns, "cpu_ns", (json_int_t)sample->cpu_ns, "watched_cpu_ns",
                     (json_int_t)sample->watched_ns, "p50_ns", (json_int_t)sample->p50_ns, "p99_ns",
                     (json_int_t)sample->p99_ns, "p999_ns", (json_int_t)sample->p999_ns, "bytes",
                     (json_int_t)sample->bytes);
}

/* json_values has the spread of each value of a row that says something, or of its ratio to the limit's. */
static json_t *json_values(const struct bench *bench, const struct bench_group *group, size_t index,
                           struct bench_spread (*spread_of)(const struct bench *bench, const struct bench_group *group,
                                                            size_t row, enum bench_value value))
{
    json_t *out = json_object();
    for (enum bench_value value = 0; value < BENCH_NUM_VALUES; value++) {
        struct bench_spread spread = spread_of(bench, group, index, value);
        if (spread.max > 0) {
            json_object_set_new(out, value_keys[value], json_spread(spread));
        }
    }
    return out;
}

static json_t *json_row(const struct bench *bench, const struct bench_group *group, size_t index)
{
    const struct bench_row *row = &group->rows[index];
    json_t *samples = json_array();
    for (size_t i = 0; i < bench->options.rounds; i++) {
        json_array_append_new(samples, json_sample(&group->samples[i * group->num_rows + index]));
    }
    json_t *out = json_pack(
        "{s:s, s:s, s:i, s:I, s:s, s:s, s:o, s:o}", "name", row->name, "role", role_names[row->role], "threads",
        (int)row->num_threads, "parameter", (json_int_t)row->parameter, "cpu_of", cpu_keys[row->cpu], "compares",
        value_keys[row->value], "values", json_values(bench, group, index, bench_spread_of_row), "samples", samples);
    if (index != row->against) {
        json_object_set_new(out, "ratios", json_values(bench, group, index, bench_ratio_of_row));
    }
    if (row->size > 0) {
        json_object_set_new(out, "size", json_integer((json_int_t)row->size));
    }
    if (row->max_bytes > 0) {
        json_object_set_new(out, "max_bytes", json_real(row->max_bytes));
    }
    if (row->against > 0) {
        json_object_set_new(out, "against", json_string(group->rows[row->against].name));
    }
    if (row->aim > 0) {
        json_object_set_new(out, "aim", json_real(row->aim));
    }
    if (row->key != NULL) {
        json_object_set_new(out, "key", json_string(row->key));
    }
    if (row->ns_key != NULL) {
        json_object_set_new(out, "ns_key", json_string(row->ns_key));
    }
    return out;
}

static json_t *json_group(const struct bench *bench, const struct bench_group *group)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < group->num_rows; i++) {
        json_array_append_new(rows, json_row(bench, group, i));
    }
    return json_pack("{s:s, s:o}", "title", group->title, "rows", rows);
}

static double ns_of_one(const struct bench *bench, const struct bench_group *group, size_t row)
{
    double rate = bench_spread_of_row(bench, group, row, BENCH_PER_CPU).median;
    return rate > 0 ? (double)MG_NS_PER_SECOND / rate : 0;
}

static void add_ratios(json_t *ratios, const struct bench *bench, const struct bench_group *group)
{
    for (size_t i = 1; i < group->num_rows; i++) {
        double median = bench_ratio_of_row(bench, group, i, group->rows[i].value).median;
        if (group->rows[i].key != NULL) {
            json_object_set_new(ratios, group->rows[i].key, json_real(median));
        }
        if (group->rows[i].ns_key != NULL) {
            json_object_set_new(ratios, group->rows[i].ns_key, json_real(ns_of_one(bench, group, i)));
        }
        if (group->rows[i].bytes_key != NULL) {
            json_object_set_new(ratios, group->rows[i].bytes_key,
                                json_real(bench_spread_of_row(bench, group, i, BENCH_BYTES).median));
        }
    }
}

json_t *report_json_machine(const struct bench_machine *machine)
{
    return json_pack("{s:s, s:{s:s, s:s, s:I, s:b, s:f}}", "commit", machine->commit, "machine", "cpu", machine->cpu,
                     "kernel", machine->kernel, "processors", (json_int_t)machine->num_cpus, "ifma",
                     machine->has_ifma ? 1 : 0, "load", machine->load);
}

json_t *report_json(const struct bench *bench, const struct report_run *run)
{
    json_t *groups = json_array(), *ratios = json_object();
    for (size_t i = 0; i < bench->num_groups; i++) {
        json_array_append_new(groups, json_group(bench, &bench->groups[i]));
        add_ratios(ratios, bench, &bench->groups[i]);
    }
    json_t *out = json_pack("{s:s, s:s, s:{s:i, s:i, s:i, s:i, s:b}, s:o, s:o}", "schema", REPORT_SCHEMA, "subcommand",
                            run->subcommand, "method", "rounds", (int)bench->options.rounds, "milliseconds",
                            (int)bench->options.milliseconds, "warm_up_rounds", 1, "processor", run->cpu, "quick",
                            bench->options.is_quick ? 1 : 0, "groups", groups, "ratios", ratios);
    json_object_update_missing_new(out, report_json_machine(&run->machine));
    return out;
}
