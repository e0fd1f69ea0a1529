/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the XML readers: what both make of a page before keys are
 * decoded, and the end that they share (s3_xml.c). */

#ifndef STORE_S3_XML_PARTS_H
#define STORE_S3_XML_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "store/s3_xml.h"

/* Decode an XML text in place: the five entities. Returns the new size. The
 * caller has checked that there are no others. */
size_t s3_xml_unescape(char *at, size_t size);

/* How many bytes the entity at @at takes, at most @size; 0: it is none of the
 * five. */
size_t s3_xml_entity(const char *at, size_t size, char *out);

/* Put an unescaped etag at @at into quotes, where it has none: the bytes
 * before and after it must be free to be written. */
struct bytes s3_list_quote(char *at, size_t size);

/* Whether a storage class means that the object can't be read as it is. */
bool s3_list_is_archive(struct bytes storage_class);

/* Keys are whole: set is_unordered and refuse what can't be a page. */
enum status s3_list_finish(struct s3_list *l, struct fault *why);

#endif /* STORE_S3_XML_PARTS_H */
