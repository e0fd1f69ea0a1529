/* SPDX-License-Identifier: Apache-2.0 */
/* One list of (section, key, value) in the order of the texts; the last of two
 * equal keys of one file counts. Some hundred entries: looked through. */

#include "store/aws_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum aws_kind {
    AWS_OTHER, /* A section that nobody asks for. */
    AWS_PROFILE,
    AWS_SERVICES,
    AWS_SSO_SESSION,
};

struct aws_entry {
    struct aws_entry *next;
    enum aws_kind kind;
    bool is_plain; /* Of "[default]", which "[profile default]" replaces. */
    char *section;
    char *key; /* NULL: the section is there. */
    struct buf value;
};

struct aws_config {
    aws_env_fn *env;
    void *env_self;
    char *profile;
    bool has_profile_default; /* "[profile default]" in the config file. */
    struct aws_entry *first;
    struct aws_entry **tail;
};

/* The file that is being read. */
struct aws_reader {
    struct aws_config *config;
    const char *name;
    struct bytes text;
    size_t at;
    unsigned line;
    bool is_credentials;
    bool has_section;
    bool is_plain;
    enum aws_kind kind;
    char *section;
    struct aws_entry *last; /* The setting that lines further in belong to. */
    size_t indent;          /* Where it started. */
    char *parent;           /* Its key, when it opened a nested block. */
    struct fault *why;
};

static const char *aws_getenv(void *self, const char *name)
{
    (void)self;
    return getenv(name);
}

static void aws_add(struct aws_reader *r, const char *key, struct bytes value)
{
    struct aws_entry *e = mem_new(1, sizeof(*e));

    e->kind = r->kind;
    e->is_plain = r->is_plain;
    e->section = mem_copy(r->section);
    e->key = key != NULL ? mem_copy(key) : NULL;
    buf_add_bytes(&e->value, value);
    *r->config->tail = e;
    r->config->tail = &e->next;
    r->last = e;
}

static enum status aws_bad_line(const struct aws_reader *r, const char *reason)
{
    return fault_set(r->why, STATUS_MALFORMED, "%s:%u: %s", r->name, r->line,
                     reason);
}

/* ---- lines -------------------------------------------------------------- */

static bool aws_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes aws_trim(struct bytes b)
{
    while (b.size > 0 && aws_is_space(b.at[0])) {
        b.at++;
        b.size--;
    }
    while (b.size > 0 && aws_is_space(b.at[b.size - 1])) {
        b.size--;
    }
    return b;
}

/* A comment starts a line, or follows white space. */
static struct bytes aws_uncomment(struct bytes b)
{
    for (size_t i = 0; i < b.size; i++) {
        if ((b.at[i] == '#' || b.at[i] == ';') &&
            (i == 0 || aws_is_space(b.at[i - 1]))) {
            b.size = i;
        }
    }
    return aws_trim(b);
}

static bool aws_next_line(struct aws_reader *r, struct bytes *line)
{
    size_t left = r->text.size - r->at;
    const char *start;
    const char *end;

    if (left == 0) {
        return false;
    }
    start = r->text.at + r->at;
    end = memchr(start, '\n', left);
    line->at = start;
    line->size = end != NULL ? (size_t)(end - start) : left;
    r->at += line->size + (end != NULL);
    r->line++;
    return true;
}

/* A name with spaces may stand in quotes. */
static struct bytes aws_unquote(struct bytes b)
{
    bool is_quoted = b.size >= 2 && (b.at[0] == '"' || b.at[0] == '\'') &&
                     b.at[b.size - 1] == b.at[0];

    return is_quoted ? (struct bytes){b.at + 1, b.size - 2} : b;
}

/* What the file calls "[profile x]", "[services x]", "[sso-session x]",
 * "[default]"; and "[x]" in the credentials file. */
static void aws_open_section(struct aws_reader *r, struct bytes name)
{
    static const struct {
        const char *word;
        enum aws_kind kind;
    } words[] = {{"profile", AWS_PROFILE},
                 {"services", AWS_SERVICES},
                 {"sso-session", AWS_SSO_SESSION}};

    r->is_plain = !r->is_credentials && bytes_is(name, "default");
    r->kind = r->is_credentials || r->is_plain ? AWS_PROFILE : AWS_OTHER;
    for (size_t i = 0; !r->is_credentials && i < 3; i++) {
        size_t size = strlen(words[i].word);

        if (name.size > size && aws_is_space(name.at[size]) &&
            memcmp(name.at, words[i].word, size) == 0) {
            r->kind = words[i].kind;
            name = aws_trim((struct bytes){name.at + size, name.size - size});
            name = aws_unquote(name);
            break;
        }
    }
    if (r->kind == AWS_PROFILE && !r->is_credentials && !r->is_plain &&
        bytes_is(name, "default")) {
        r->config->has_profile_default = true;
    }
    free(r->section);
    r->section = mem_copy_text(name.at, name.size);
    r->has_section = true;
    aws_add(r, NULL, BYTES(""));
    r->last = NULL;
    free(r->parent);
    r->parent = NULL;
}

static enum status aws_read_section(struct aws_reader *r, struct bytes line)
{
    const char *end = memchr(line.at, ']', line.size);
    struct bytes name;
    struct bytes rest;

    if (end == NULL) {
        return aws_bad_line(r, "a section without its closing ']'");
    }
    name = aws_trim((struct bytes){line.at + 1, (size_t)(end - line.at) - 1});
    if (name.size == 0) {
        return aws_bad_line(r, "a section without a name");
    }
    rest = (struct bytes){end + 1, (size_t)(line.at + line.size - end - 1)};
    rest = aws_trim(rest);
    if (rest.size > 0 && rest.at[0] != '#' && rest.at[0] != ';') {
        return aws_bad_line(r, "something follows the section's ']'");
    }
    aws_open_section(r, name);
    return STATUS_OK;
}

/* Cut "key = value"; the key in lower case into @key. */
static bool aws_cut(struct bytes line, char key[128], struct bytes *value)
{
    const char *equals = memchr(line.at, '=', line.size);
    struct bytes name;

    if (equals == NULL) {
        return false;
    }
    name = aws_trim((struct bytes){line.at, (size_t)(equals - line.at)});
    if (name.size == 0 || name.size >= 128) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];

        key[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    key[name.size] = '\0';
    *value = aws_uncomment(
        (struct bytes){equals + 1, (size_t)(line.at + line.size - equals - 1)});
    return true;
}

/* A line further in: part of a nested block, or more of a value. */
static enum status aws_read_nested(struct aws_reader *r, struct bytes line)
{
    char key[128];
    struct bytes value;
    char *whole;

    if (r->parent == NULL) {
        buf_add_char(&r->last->value, '\n');
        buf_add_bytes(&r->last->value, line);
        return STATUS_OK;
    }
    if (!aws_cut(line, key, &value)) {
        return aws_bad_line(r, "not 'name = value'");
    }
    whole = mem_print("%s.%s", r->parent, key);
    aws_add(r, whole, value);
    free(whole);
    return STATUS_OK;
}

static enum status aws_read_setting(struct aws_reader *r, struct bytes line)
{
    char key[128];
    struct bytes value;

    if (!aws_cut(line, key, &value)) {
        return aws_bad_line(r, "not 'name = value'");
    }
    if (!r->has_section) {
        return aws_bad_line(r, "a setting before the first [section]");
    }
    aws_add(r, key, value);
    free(r->parent);
    r->parent = value.size == 0 ? mem_copy(key) : NULL;
    return STATUS_OK;
}

static enum status aws_read_line(struct aws_reader *r, struct bytes line)
{
    struct bytes text = aws_trim(line);
    size_t indent = (size_t)(text.at - line.at);

    if (text.size == 0 || text.at[0] == '#' || text.at[0] == ';') {
        return STATUS_OK;
    }
    if (memchr(line.at, '\0', line.size) != NULL) {
        return aws_bad_line(r, "a NUL byte");
    }
    if (r->last != NULL && indent > r->indent) {
        return aws_read_nested(r, text);
    }
    r->indent = indent;
    return text.at[0] == '[' ? aws_read_section(r, text)
                             : aws_read_setting(r, text);
}

static enum status aws_read(struct aws_config *c, const char *name,
                            struct bytes text, bool is_credentials,
                            struct fault *why)
{
    struct aws_reader r = {.config = c,
                           .name = name,
                           .text = text,
                           .is_credentials = is_credentials,
                           .section = mem_copy(""),
                           .why = why};
    struct bytes line;
    enum status s = STATUS_OK;

    if (text.size >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0) {
        r.at = 3;
    }
    while (s == STATUS_OK && aws_next_line(&r, &line)) {
        s = aws_read_line(&r, line);
    }
    free(r.section);
    free(r.parent);
    return s;
}

/* ---- making ------------------------------------------------------------- */

static enum status aws_choose_profile(struct aws_config *c, struct fault *why)
{
    const char *variable = "AWS_DEFAULT_PROFILE";
    const char *profile = aws_config_env(c, variable);

    if (profile == NULL) {
        variable = "AWS_PROFILE";
        profile = aws_config_env(c, variable);
    }
    c->profile = mem_copy(profile != NULL ? profile : "default");
    if (strcmp(c->profile, "default") != 0 &&
        !aws_config_has_profile(c, c->profile)) {
        return fault_set(why, STATUS_NOT_FOUND,
                         "%s names '%s', which is in neither the config file "
                         "nor the credentials file",
                         variable, c->profile);
    }
    return STATUS_OK;
}

enum status aws_config_parse(const struct aws_config_source *source,
                             const struct aws_config_texts *texts,
                             struct fault *why, struct aws_config **out)
{
    struct aws_config *c = mem_new(1, sizeof(*c));
    const char *name = texts->config_name;
    enum status s;

    *out = NULL;
    c->env = source->env != NULL ? source->env : aws_getenv;
    c->env_self = source->env_self;
    c->tail = &c->first;
    s = aws_read(c, name != NULL ? name : "config", texts->config, false, why);
    name = texts->credentials_name;
    if (s == STATUS_OK) {
        s = aws_read(c, name != NULL ? name : "credentials", texts->credentials,
                     true, why);
    }
    if (s == STATUS_OK) {
        s = aws_choose_profile(c, why);
    }
    if (s != STATUS_OK) {
        aws_config_destroy(&c);
    }
    *out = c;
    return s;
}

void aws_config_destroy(struct aws_config **c)
{
    struct aws_entry *e;

    if (*c == NULL) {
        return;
    }
    e = (*c)->first;
    while (e != NULL) {
        struct aws_entry *next = e->next;

        free(e->section);
        free(e->key);
        buf_fini(&e->value);
        free(e);
        e = next;
    }
    free((*c)->profile);
    free(*c);
    *c = NULL;
}

/* ---- asking ------------------------------------------------------------- */

const char *aws_config_env(const struct aws_config *c, const char *name)
{
    const char *value = c->env(c->env_self, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *aws_config_profile(const struct aws_config *c)
{
    return c->profile;
}

static bool aws_has(const struct aws_config *c, enum aws_kind kind,
                    const char *section)
{
    for (const struct aws_entry *e = c->first; e != NULL; e = e->next) {
        if (e->kind == kind && strcmp(e->section, section) == 0) {
            return true;
        }
    }
    return false;
}

bool aws_config_has_profile(const struct aws_config *c, const char *profile)
{
    return aws_has(c, AWS_PROFILE, profile);
}

static const char *aws_find(const struct aws_config *c, enum aws_kind kind,
                            const char *section, const char *key)
{
    const struct aws_entry *found = NULL;

    for (const struct aws_entry *e = c->first; e != NULL; e = e->next) {
        bool is_replaced = e->is_plain && c->has_profile_default;

        if (e->kind == kind && e->key != NULL && !is_replaced &&
            strcmp(e->key, key) == 0 && strcmp(e->section, section) == 0 &&
            e->value.size > 0) {
            found = e; /* Those of the credentials file come last. */
        }
    }
    return found != NULL ? buf_text(&found->value) : NULL;
}

const char *aws_config_get(const struct aws_config *c, const char *profile,
                           const char *key)
{
    return aws_find(c, AWS_PROFILE, profile, key);
}

static enum aws_kind aws_kind_of(const char *kind)
{
    return strcmp(kind, "services") == 0 ? AWS_SERVICES : AWS_SSO_SESSION;
}

bool aws_config_has_section(const struct aws_config *c, const char *kind,
                            const char *name)
{
    return aws_has(c, aws_kind_of(kind), name);
}

const char *aws_config_section(const struct aws_config *c, const char *kind,
                               const char *name, const char *key)
{
    return aws_find(c, aws_kind_of(kind), name, key);
}
