/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once over each file of a corpus directory, for builds without libFuzzer. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
        return 2;
    }
    DIR *directory = opendir(argv[1]);
    if (directory == NULL) {
        perror(argv[1]);
        return 1;
    }
    unsigned num_inputs = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        struct mg_buffer input;
        mg_buffer_init(&input, 1 << 20);
        struct mg_error error;
        if (mg_file_read(path, &input, &error) != MG_OK) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        /* An exact-size copy, so that a sanitizer sees the first byte read past the end. */
        uint8_t *exact = malloc(input.len == 0 ? 1 : input.len);
        if (exact == NULL) {
            abort();
        }
        if (input.len > 0) {
            memcpy(exact, input.data, input.len);
        }
        (void)LLVMFuzzerTestOneInput(exact, input.len);
        free(exact);
        mg_buffer_free(&input);
        num_inputs++;
    }
    closedir(directory);
    printf("%u inputs\n", num_inputs);
    return num_inputs > 0 ? 0 : 1;
}
