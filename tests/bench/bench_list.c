/* SPDX-License-Identifier: Apache-2.0 */
/* How fast pages of a listing are read: by the scanner, by expat, and as the
 * store does it. The copy of each page that is spoilt is not counted. */
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "store/s3_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS = STORE_LIST_MAX, SCANS = 2000, SLOW_SCANS = 100 };

typedef enum status read_fn(char *page, size_t size, struct s3_list *out);

struct shape {
    const char *name;
    const char *key; /* With one %d. */
    const char *owner;
};

static const struct shape shapes[] = {
    {"plain keys", "datasets/imagenet/train/part-%05d/n01440764_10026.JPEG",
     ""},
    {"coded keys", "data+sets/%%ED%%95%%9C%%EA%%B8%%80/part-%05d/a%%2Bb.JPEG",
     ""},
    {"with owners", "datasets/imagenet/train/part-%05d/n01440764_10026.JPEG",
     "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54b"
     "a06a</ID><DisplayName>training</DisplayName></Owner>"},
};

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void add_object(const struct shape *shape, int i, struct buf *page)
{
    buf_add_text(page, "<Contents><Key>");
    buf_print(page, shape->key, i);
    buf_print(page,
              "</Key><LastModified>2026-03-%02dT09:%02d:15.000Z</LastModified>"
              "<ETag>&quot;%08x0c3b1f6a0f5a3a4d12fb%04x&quot;</ETag>"
              "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
              "<ChecksumType>FULL_OBJECT</ChecksumType>"
              "<Size>%d</Size>%s<StorageClass>STANDARD</StorageClass>"
              "</Contents>",
              1 + i % 28, i % 60, (unsigned)i * 2654435761u, (unsigned)i,
              110000 + i * 37, shape->owner);
}
#pragma GCC diagnostic pop

static void make_page(const struct shape *shape, struct buf *page)
{
    buf_add_text(
        page, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<ListBucketResult "
              "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
              "<Name>bucket</Name><Prefix>datasets/</Prefix>"
              "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4v"
              "bOwM=</NextContinuationToken><KeyCount>1000</KeyCount>"
              "<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>"
              "<IsTruncated>true</IsTruncated>");
    for (int i = 0; i < KEYS; i++) {
        add_object(shape, i, page);
    }
    buf_add_text(page, "</ListBucketResult>");
}

static enum status read_by_expat(char *page, size_t size, struct s3_list *out)
{
    return s3_list_expat(page, size, NULL, out);
}

static enum status read_all(char *page, size_t size, struct s3_list *out)
{
    return s3_list_parse(page, size, NULL, out);
}

static void bench(const char *name, const struct buf *page, int scans,
                  read_fn *read)
{
    struct s3_list *list = mem_new(1, sizeof(*list));
    char *copy = mem_new(1, page->size);
    double spent = 0;

    for (int i = 0; i < scans; i++) {
        double start;

        memcpy(copy, page->at, page->size);
        start = cpu_s();
        CHECK(read(copy, page->size, list) == STATUS_OK);
        spent += cpu_s() - start;
        CHECK(list->object_count == KEYS);
    }
    printf("  %-8s %8.2f million keys/s %8.0f MB/s\n", name,
           (double)KEYS * scans / spent / 1e6,
           (double)page->size * scans / spent / 1e6);
    s3_list_fini(list);
    free(list);
    free(copy);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct buf page = {0};

        make_page(&shapes[i], &page);
        printf("%s, %zu bytes each\n", shapes[i].name, page.size / KEYS);
        bench("scanner", &page, SCANS, s3_list_scan);
        bench("expat", &page, SLOW_SCANS, read_by_expat);
        bench("parse", &page, SCANS, read_all);
        buf_fini(&page);
    }
    return 0;
}
