/*
 * printf.c - turning numbers and strings into text.
 *
 * Knows nothing of where the text goes: it is handed to a sink in pieces, so that a panic with
 * a few hundred bytes of stack left can still print.  The log itself (kprintf) is
 * kernel/arch/log.c, because it needs a lock.
 *
 * Main idea: a conversion is parsed into a struct spec, a number is written backwards into a
 * small buffer, and one function pads.
 */
#include "kernel/lib/printf.h"

#include "kernel/lib/string.h"

#define DIGITS_MAX 24 /* enough for 64 bits in octal */
#define FIELD_MAX  100000

struct spec {
    bool left, zero, alt; /* flags - 0 # */
    bool wide;            /* 64 bits */
    int width;
    int precision; /* -1: none given */
    char conversion;
};

struct out {
    format_sink sink;
    void *arg;
    size_t length;
};

static void
out_text(struct out *o, const char *text, size_t len)
{
    if (len != 0)
        o->sink(o->arg, text, len);
    o->length += len;
}

static void
out_repeat(struct out *o, char c, int n)
{
    for (; n > 0; n--)
        out_text(o, &c, 1);
}

/* A width or precision: digits or an argument. */
static const char *
parse_int(const char *p, int *value, va_list *ap)
{
    if (*p == '*') {
        *value = va_arg(*ap, int);
        return p + 1;
    }
    for (*value = 0; *p >= '0' && *p <= '9'; p++)
        *value = MIN(*value * 10 + (*p - '0'), FIELD_MAX);
    return p;
}

/* One conversion, from behind its %; returns where its letter stands. */
static const char *
parse_spec(const char *p, struct spec *s, va_list *ap)
{
    *s = (struct spec){.precision = -1};
    for (; *p == '-' || *p == '0' || *p == '#'; p++) {
        s->left |= *p == '-';
        s->zero |= *p == '0';
        s->alt |= *p == '#';
    }
    p = parse_int(p, &s->width, ap);
    if (*p == '.')
        p = parse_int(p + 1, &s->precision, ap);
    for (; *p == 'l' || *p == 'z'; p++)
        s->wide = true;
    s->conversion = *p;
    return p;
}

/* Prefix and text inside the width, padded with blanks, or with zeros between the two. */
static void
out_field(struct out *o, const struct spec *s, const char *prefix, const char *text, size_t len)
{
    int pad = s->width - (int)(strlen(prefix) + len);

    if (!s->left && !s->zero)
        out_repeat(o, ' ', pad);
    out_text(o, prefix, strlen(prefix));
    if (!s->left && s->zero)
        out_repeat(o, '0', pad);
    out_text(o, text, len);
    if (s->left)
        out_repeat(o, ' ', pad);
}

static void
out_number(struct out *o, const struct spec *s, uint64_t n, unsigned base, const char *prefix)
{
    char buf[DIGITS_MAX], *end = buf + sizeof(buf), *start = end;

    do {
        *--start = "0123456789abcdef"[n % base];
        n /= base;
    } while (n != 0);
    out_field(o, s, prefix, start, (size_t)(end - start));
}

static void
out_signed(struct out *o, const struct spec *s, int64_t n)
{
    /* The negation is done unsigned: INT64_MIN has no positive. */
    out_number(o, s, n < 0 ? -(uint64_t)n : (uint64_t)n, 10, n < 0 ? "-" : "");
}

static void
out_unsigned(struct out *o, const struct spec *s, uint64_t n)
{
    bool prefix = s->alt && n != 0;

    if (s->conversion == 'u')
        out_number(o, s, n, 10, "");
    else if (s->conversion == 'o')
        out_number(o, s, n, 8, prefix ? "0" : "");
    else
        out_number(o, s, n, 16, prefix ? "0x" : "");
}

static void
out_string(struct out *o, const struct spec *s, const char *text)
{
    if (text == NULL)
        text = "(null)";
    out_field(o, s, "", text, s->precision < 0 ? strlen(text) : strnlen(text, s->precision));
}

/* Returns false if the conversion is none that we know. */
static bool
out_conversion(struct out *o, struct spec *s, va_list *ap)
{
    char c;

    switch (s->conversion) {
    case 'd':
    case 'i':
        out_signed(o, s, s->wide ? va_arg(*ap, int64_t) : va_arg(*ap, int));
        return true;
    case 'u':
    case 'x':
    case 'o':
        out_unsigned(o, s, s->wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned));
        return true;
    case 'p':
        out_number(o, s, (uintptr_t)va_arg(*ap, void *), 16, "0x");
        return true;
    case 's':
        out_string(o, s, va_arg(*ap, const char *));
        return true;
    case 'c':
        c = (char)va_arg(*ap, int);
        out_field(o, s, "", &c, 1);
        return true;
    case '%':
        out_text(o, "%", 1);
        return true;
    default:
        return false;
    }
}

size_t
vformat(format_sink sink, void *arg, const char *fmt, va_list ap_in)
{
    struct out o = {.sink = sink, .arg = arg};
    va_list ap;

    va_copy(ap, ap_in); /* a va_list that is a parameter has no address of its own type */
    while (*fmt != '\0') {
        const char *start = fmt;
        struct spec s;

        while (*fmt != '\0' && *fmt != '%')
            fmt++;
        out_text(&o, start, fmt - start);
        if (*fmt == '\0')
            break;
        start = fmt;
        fmt = parse_spec(fmt + 1, &s, &ap);
        if (!out_conversion(&o, &s, &ap)) /* show it as it stands rather than guess */
            out_text(&o, start, fmt - start + (*fmt != '\0'));
        if (*fmt != '\0')
            fmt++;
    }
    va_end(ap);
    return o.length;
}

struct buffer {
    char *at;
    size_t room; /* the NUL's place not counted */
};

static void
buffer_sink(void *arg, const char *text, size_t len)
{
    struct buffer *b = arg;
    size_t n = MIN(len, b->room);

    memcpy(b->at, text, n);
    b->at += n;
    b->room -= n;
}

int
vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct buffer b = {.at = buf, .room = size > 0 ? size - 1 : 0};
    size_t length = vformat(buffer_sink, &b, fmt, ap);

    if (size > 0)
        *b.at = '\0';
    return length;
}

int
snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int length = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return length;
}
