/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/mem.h"
#include "store/credentials_reply.h"

enum { PROCESS_SHOW_MAX = 200 };

/* ---- Words. */

static bool process_is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copy one word from *@from to *@to. false: it does not end. */
static bool process_word(const char **from, char **to)
{
    const char *at = *from;
    char quote = '\0';

    for (; *at != '\0' && (quote != '\0' || !process_is_white(*at)); at++) {
        bool is_escape =
            *at == '\\' && (quote == '\0' ||
                            (quote == '"' && (at[1] == '"' || at[1] == '\\')));

        if (is_escape && at[1] == '\0') {
            return false;
        }
        if (is_escape) {
            *(*to)++ = *++at;
        } else if (quote != '\0' ? *at == quote : *at == '\'' || *at == '"') {
            quote = quote != '\0' ? '\0' : *at;
        } else {
            *(*to)++ = *at;
        }
    }
    *(*to)++ = '\0';
    *from = at;
    return quote == '\0';
}

enum status credentials_process_split(const char *text, struct fault *why,
                                      char ***out)
{
    size_t size = strlen(text);
    /* At most a word every two bytes; the words lie behind the list. */
    size_t most = size / 2 + 2;
    char **list = mem_new(1, most * sizeof(char *) + size + 1);
    char *to = (char *)(list + most);
    size_t count = 0;

    while (*text != '\0') {
        if (process_is_white(*text)) {
            text++;
            continue;
        }
        list[count++] = to;
        if (!process_word(&text, &to)) {
            free(list);
            return fault_set(why, STATUS_INVALID,
                             "a quote is not closed, or a backslash ends it");
        }
    }
    if (count == 0) {
        free(list);
        return fault_set(why, STATUS_INVALID, "it is empty");
    }
    *out = list;
    return STATUS_OK;
}

/* ---- The provider. */

/* What it said on stderr, as the end of a message. */
static enum status process_failed(const struct credentials_process *p,
                                  struct fault *why)
{
    struct bytes said = credentials_reply_trim(buf_bytes(&p->err));

    return fault_set(
        why, STATUS_DENIED, "it ended with %d%s%.*s", p->code,
        said.size > 0 ? ": " : " and said nothing: run it by hand",
        (int)(said.size < PROCESS_SHOW_MAX ? said.size : PROCESS_SHOW_MAX),
        said.size > 0 ? said.at : "");
}

static enum status process_answer(const struct credentials_process *p,
                                  struct fault *why, struct credentials *out)
{
    enum status s;

    if (p->code > 0) {
        return process_failed(p, why);
    }
    s = credentials_reply_json(buf_bytes(&p->out), CREDENTIALS_FORM_PROCESS,
                               why, out);
    return s == STATUS_OK ? s : fault_prefix(why, s, "what it printed");
}

enum status credentials_fetch_process(struct credentials_fetcher *f,
                                      const struct credentials_chain *chain,
                                      struct fault *why,
                                      struct credentials *out)
{
    struct credentials_process p = {0};
    char name[64] = "";
    char **argv = NULL;
    enum status s = credentials_process_split(chain->command, why, &argv);

    if (s == STATUS_OK) {
        /* Of the command only its first word: the others may be secrets. */
        snprintf(name, sizeof(name), "%.60s", argv[0]);
        s = credentials_process_run(f, argv, why, &p);
    }
    if (s == STATUS_OK) {
        s = process_answer(&p, why, out);
    }
    if (s != STATUS_OK) {
        s = fault_prefix(why, s, "%s%s%s", chain->name,
                         name[0] != '\0' ? " " : "", name);
    }
    credentials_wipe_buf(&p.out);
    buf_fini(&p.out);
    credentials_wipe_buf(&p.err);
    buf_fini(&p.err);
    free(argv);
    return s;
}
