/* SPDX-License-Identifier: MIT */
/*
 * json_print: one document to standard output.
 */
#ifndef COMMON_JSON_PRINT_H
#define COMMON_JSON_PRINT_H

struct jsondoc;

/* 0, or EXITCODE_FAILED with the error shown: half a document, or none, must
 * not look like an answer. */
int json_print(const struct jsondoc *root);

#endif
