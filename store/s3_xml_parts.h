/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the XML readers: what the scanner (s3_xml_scan.c) and expat's side
 * (s3_xml_expat.c) share; it is in s3_xml.c. */

#ifndef STORE_S3_XML_PARTS_H
#define STORE_S3_XML_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/s3_xml.h"

/* Decode an XML text in place: the five entities and numeric references.
 * Returns the new size. What is neither stays as it is. */
size_t s3_xml_unescape(char *at, size_t size);

/* How many bytes the reference at @at takes, at most @size, and what it
 * stands for, control characters too; 0: it is none that we read. */
size_t s3_xml_reference(const char *at, size_t size, uint32_t *code);

/* Drop white space from the front: answers that take long start with it. */
struct bytes s3_xml_trim(struct bytes body);

/* Make @l an empty page. */
void s3_list_clear(struct s3_list *l);

/* Read a Size. false: it is none. */
bool s3_list_size(struct bytes text, uint64_t *out);

/* Decode a key or a prefix in place, whose references are decoded. false: it
 * is not coded as it says. */
bool s3_list_decode(char *at, size_t *size, bool is_coded);

/* Put an unescaped etag at @at into quotes, where it has none: the bytes
 * before and after it must be free to be written. */
struct bytes s3_list_quote(char *at, size_t size);

/* Whether a storage class means that the object can't be read as it is. */
bool s3_list_is_archive(struct bytes storage_class);

#endif /* STORE_S3_XML_PARTS_H */
