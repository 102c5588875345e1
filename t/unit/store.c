/* SPDX-License-Identifier: ISC */
/*
 * Storage: a directory; signatures against the vectors that AWS publishes; the
 * XML of S3's answers.
 */
#include "store/store.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static char root[] = "/tmp/linnet-store-XXXXXX";

/*
 * Signatures: Amazon S3 API Reference, "Authenticating Requests", and the
 * AWS Signature Version 4 test suite (get-vanilla and others).
 */
static const struct sigv4_key s3_key = { "AKIAIOSFODNN7EXAMPLE",
	"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3" };
static const struct sigv4_key suite_key = { "AKIDEXAMPLE",
	"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service" };

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_HOST                                          \
	{                                                \
		"host", "examplebucket.s3.amazonaws.com" \
	}
#define S3_DATE                                  \
	{                                        \
		"x-amz-date", "20130524T000000Z" \
	}
#define SUITE_HOST                              \
	{                                       \
		"host", "example.amazonaws.com" \
	}
#define SUITE_DATE                               \
	{                                        \
		"x-amz-date", "20150830T123600Z" \
	}

static const struct {
	const char *name;
	const struct sigv4_key *key;
	const char *method, *path, *query, *payload, *date;
	struct sigv4_header headers[6];
	const char *names, *signature;
} vectors[] = {
	{ "GET Object", &s3_key, "GET", "/test.txt", "", EMPTY,
	    "20130524T000000Z",
	    { S3_HOST, { "range", "bytes=0-9" },
		{ "x-amz-content-sha256", EMPTY }, S3_DATE },
	    "host;range;x-amz-content-sha256;x-amz-date",
	    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
	{ "PUT Object", &s3_key, "PUT", "/test%24file.text", "",
	    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
	    "20130524T000000Z",
	    { { "date", "Fri, 24 May 2013 00:00:00 GMT" }, S3_HOST,
		{ "x-amz-content-sha256",
		    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803"
		    "f8b072" },
		S3_DATE, { "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
	    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
	{ "GET Bucket lifecycle", &s3_key, "GET", "/", "lifecycle=", EMPTY,
	    "20130524T000000Z",
	    { S3_HOST, { "x-amz-content-sha256", EMPTY }, S3_DATE },
	    "host;x-amz-content-sha256;x-amz-date",
	    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
	{ "List Objects", &s3_key, "GET", "/", "max-keys=2&prefix=J", EMPTY,
	    "20130524T000000Z",
	    { S3_HOST, { "x-amz-content-sha256", EMPTY }, S3_DATE },
	    "host;x-amz-content-sha256;x-amz-date",
	    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
	{ "get-vanilla", &suite_key, "GET", "/", "", EMPTY, "20150830T123600Z",
	    { SUITE_HOST, SUITE_DATE }, "host;x-amz-date",
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-vanilla-query-order-key-case", &suite_key, "GET", "/",
	    "Param1=value1&Param2=value2", EMPTY, "20150830T123600Z",
	    { SUITE_HOST, SUITE_DATE }, "host;x-amz-date",
	    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "get-utf8", &suite_key, "GET", "/%E1%88%B4", "", EMPTY,
	    "20150830T123600Z", { SUITE_HOST, SUITE_DATE }, "host;x-amz-date",
	    "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
	{ "post-vanilla", &suite_key, "POST", "/", "", EMPTY,
	    "20150830T123600Z", { SUITE_HOST, SUITE_DATE }, "host;x-amz-date",
	    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "get-header-value-trim", &suite_key, "GET", "/", "", EMPTY,
	    "20150830T123600Z",
	    { SUITE_HOST, { "my-header1", " value1" },
		{ "my-header2", " \"a   b   c\"" }, SUITE_DATE },
	    "host;my-header1;my-header2;x-amz-date",
	    "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
};

static void
test_signatures(void)
{
	size_t i, n;

	for (i = 0; i < NELEM(vectors); i++) {
		struct sigv4_request r = {
			.method = vectors[i].method,
			.path = vectors[i].path,
			.query = vectors[i].query,
			.headers = vectors[i].headers,
			.payload = vectors[i].payload,
		};
		char *want;
		struct buf out;

		for (n = 0; n < NELEM(vectors[i].headers) &&
			    vectors[i].headers[n].name != NULL;
		     n++)
			continue;
		r.nheaders = n;
		str_copy(r.date, vectors[i].date, sizeof(r.date));
		buf_init(&out, 4096);
		store_sigv4_sign(vectors[i].key, &r, &out, NULL);
		want = xasprintf("AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/"
				 "aws4_request, SignedHeaders=%s, Signature=%s",
		    vectors[i].key->key_id, r.date, vectors[i].key->region,
		    vectors[i].key->service, vectors[i].names,
		    vectors[i].signature);
		is_str(buf_str(&out), want, "signature: %s", vectors[i].name);
		free(want);
		buf_free(&out);
	}
}

/* "Signature Calculations for the Authorization Header: Transferring Payload in
 * Multiple Chunks". */
static void
test_chunks(void)
{
	static const struct sigv4_header headers[] = {
		{ "content-encoding", "aws-chunked" },
		{ "content-length", "66824" },
		{ "host", "s3.amazonaws.com" },
		{ "x-amz-content-sha256",
		    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" },
		S3_DATE,
		{ "x-amz-decoded-content-length", "66560" },
		{ "x-amz-storage-class", "REDUCED_REDUNDANCY" },
	};
	struct sigv4_request r = {
		.method = "PUT",
		.path = "/examplebucket/chunkObject.txt",
		.query = "",
		.headers = headers,
		.nheaders = NELEM(headers),
		.payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		.date = "20130524T000000Z",
	};
	struct sigv4_chain chain;
	struct buf out;
	char *a = xmalloc(65536);

	memset(a, 'a', 65536);
	buf_init(&out, 4096);
	store_sigv4_sign(&s3_key, &r, &out, &chain);
	is_str(chain.signature,
	    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	    "chunks: the request");
	store_sigv4_chunk(&chain, a, 65536);
	is_str(chain.signature,
	    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
	    "chunks: the first");
	store_sigv4_chunk(&chain, a, 1024);
	is_str(chain.signature,
	    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
	    "chunks: the second");
	store_sigv4_chunk(&chain, a, 0);
	is_str(chain.signature,
	    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
	    "chunks: the last");
	buf_free(&out);
	free(a);
}

/* "Authenticating Requests: Using Query Parameters". */
static void
test_presign(void)
{
	static const struct sigv4_header header = S3_HOST;
	struct sigv4_request r = {
		.method = "GET",
		.path = "/test.txt",
		.query = "",
		.headers = &header,
		.nheaders = 1,
		.payload = "UNSIGNED-PAYLOAD",
		.date = "20130524T000000Z",
	};
	struct buf out;

	buf_init(&out, 4096);
	store_sigv4_presign(&s3_key, &r, 86400, &out);
	is_str(buf_str(&out),
	    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
	    "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
	    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
	    "&X-Amz-SignedHeaders=host&X-Amz-Signature="
	    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
	    "a signed URL");
	buf_free(&out);
}

static void
test_xml(void)
{
	static const char text[] =
	    "<?xml version=\"1.0\"?><R xmlns=\"x\"><KeyCount>2</KeyCount>"
	    "<C><Key>a&amp;b&lt;</Key></C><Key/><Key>last</Key><Key>open</R>";
	struct slice at = { text, sizeof(text) - 1 }, s;
	struct buf b;

	buf_init(&b, 64);
	ok(store_xml_next(&at, "Key", &s), "XML: an element within another");
	store_xml_text(&b, s);
	is_str(buf_str(&b), "a&b<", "XML: its text");
	ok(store_xml_next(&at, "Key", &s) && s.n == 0, "XML: an empty one");
	ok(store_xml_next(&at, "Key", &s) && s.n == 4, "XML: one more");
	ok(!store_xml_next(&at, "Key", &s), "XML: one without an end");
	at = (struct slice){ "<K", 2 };
	ok(!store_xml_next(&at, "K", &s), "XML: a tag without an end");
	at = (struct slice){ NULL, 0 };
	ok(!store_xml_next(&at, "K", &s), "XML: nothing");
	buf_free(&b);
}

/* A source and a sink of n bytes, each of them known by its place. */
struct bytes {
	uint64_t n, at;
	uint64_t fail_at; /* EIO there; 0: never */
	uint64_t size;	  /* as begin was told */
	bool wrong;
};

static char
byte_at(uint64_t i)
{
	return (char)((i * UINT64_C(2654435761)) >> 13);
}

static ssize_t
bytes_read(void *arg, void *buf, size_t n)
{
	struct bytes *b = arg;
	char *p = buf;
	size_t i;

	if (b->fail_at != 0 && b->at >= b->fail_at) {
		errno = EIO;
		return -1;
	}
	/* Not what fits into anything. */
	n = n < 4999 ? n : 4999;
	n = b->n - b->at < n ? (size_t)(b->n - b->at) : n;
	for (i = 0; i < n; i++)
		p[i] = byte_at(b->at++);
	return (ssize_t)n;
}

static int
bytes_begin(void *arg, uint64_t size)
{
	((struct bytes *)arg)->size = size;
	return 0;
}

static int
bytes_write(void *arg, const void *p, size_t n)
{
	struct bytes *b = arg;
	const char *s = p;
	size_t i;

	for (i = 0; i < n; i++)
		b->wrong |= s[i] != byte_at(b->at++);
	return b->fail_at != 0 && b->at >= b->fail_at ? EPIPE : 0;
}

static int
put(struct store *st, const struct store_key *key, struct bytes *b,
    uint64_t length, struct store_source *src)
{
	*src = (struct store_source){
		.read = bytes_read, .arg = b, .length = length
	};
	b->at = 0;
	return store_put(st, key, src);
}

static int
get(struct store *st, const struct store_key *key, uint64_t offset,
    uint64_t length, struct bytes *b)
{
	struct store_sink sink = { bytes_begin, bytes_write, b };

	b->at = offset;
	b->size = 0;
	b->wrong = false;
	return store_get(st, key, offset, length, &sink);
}

static unsigned
count_names(const char *dir)
{
	char *cmd = xasprintf("find %s/%s -type f | wc -l", root, dir);
	FILE *f = popen(cmd, "r");
	unsigned n = 999;

	if (f != NULL) {
		if (fscanf(f, "%u", &n) != 1)
			n = 999;
		pclose(f);
	}
	free(cmd);
	return n;
}

static bool
list_count(void *arg, const struct store_object *o)
{
	struct store_object *found = arg;

	found->size += o->size;
	found->key = o->key;
	found->stored_ms++; /* counts */
	return true;
}

static const struct {
	uint64_t n, length;
	int error;
} all_puts[] = {
	{ 0, 0, 0 },
	{ 0, STORE_ALL, 0 },
	{ 1, 1, 0 },
	{ STORE_PIECE, STORE_PIECE, 0 },
	{ 300001, 300001, 0 },
	{ 300001, STORE_ALL, 0 },
	{ 300001, 300000, EMSGSIZE },
	{ 300001, 300002, EMSGSIZE },
	{ 1, 0, EMSGSIZE },
	{ 0, 1, EMSGSIZE },
};

static void
test_puts(struct store *st)
{
	struct store_source src;
	struct store_key key;
	struct bytes b = { 0 };
	size_t i;

	for (i = 0; i < NELEM(all_puts); i++) {
		id_new(&key.mesh);
		id_new(&key.file);
		b = (struct bytes){ .n = all_puts[i].n };
		is_int(put(st, &key, &b, all_puts[i].length, &src),
		    all_puts[i].error, "put %llu of %lld",
		    (unsigned long long)all_puts[i].n,
		    (long long)all_puts[i].length);
		is_int(get(st, &key, 0, STORE_ALL, &b),
		    all_puts[i].error != 0 ? ENOENT : 0, "and get");
		if (all_puts[i].error == 0)
			ok(b.size == all_puts[i].n && b.at == all_puts[i].n &&
				!b.wrong && src.size == all_puts[i].n,
			    "all of it, as it was");
		is_int(store_delete(st, &key), 0, "and delete");
	}
	is_int(count_names("."), 0, "nothing is left of any");
}

static const struct {
	uint64_t offset, length, bytes;
	int error;
} all_gets[] = {
	{ 0, STORE_ALL, 100000, 0 },
	{ 0, 0, 0, 0 },
	{ 0, 1, 1, 0 },
	{ 99999, 1, 1, 0 },
	{ 99999, 7, 1, 0 },
	{ 70000, STORE_ALL, 30000, 0 },
	{ 100000, STORE_ALL, 0, 0 },
	{ 100000, 0, 0, 0 },
	{ 100001, STORE_ALL, 0, ERANGE },
	{ STORE_ALL, STORE_ALL, 0, ERANGE },
	{ 1, STORE_ALL - 1, 99999, 0 },
};

static void
test_gets(struct store *st)
{
	static const char abc[] =
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct store_object found = { 0 };
	struct store_source src;
	struct store_key key;
	struct bytes b = { .n = 100000 };
	char hex[2 * STORE_SHA256_LEN + 1];
	size_t i;

	id_new(&key.mesh);
	id_new(&key.file);
	is_int(put(st, &key, &b, STORE_ALL, &src), 0, "an object");
	for (i = 0; i < NELEM(all_gets); i++) {
		is_int(
		    get(st, &key, all_gets[i].offset, all_gets[i].length, &b),
		    all_gets[i].error, "get from %llu",
		    (unsigned long long)all_gets[i].offset);
		ok(all_gets[i].error != 0 ||
			(b.size == 100000 && !b.wrong &&
			    b.at - all_gets[i].offset == all_gets[i].bytes),
		    "these bytes");
	}
	b.fail_at = 70000;
	is_int(get(st, &key, 0, STORE_ALL, &b), EPIPE, "a reader that goes");
	is_int(store_list(st, list_count, &found), 0, "a list");
	ok(found.stored_ms == 1 && found.size == 100000 &&
		id_same(&found.key.mesh, &key.mesh) &&
		id_same(&found.key.file, &key.file),
	    "of one object");
	is_int(store_delete(st, &key), 0, "it is deleted");
	is_int(store_delete(st, &key), 0, "and once more");
	b = (struct bytes){ .n = 100000, .fail_at = 50000 };
	is_int(put(st, &key, &b, 100000, &src), EIO, "a source that breaks");
	is_int(count_names("."), 0, "leaves nothing");
	store_sigv4_sha256(hex, "abc", 3);
	is_str(hex, abc, "SHA-256");
}

static void
test_sweep(struct store *st)
{
	char *held = xasprintf("%s/tmp/held", root);
	char *left = xasprintf("%s/tmp/left", root);
	int fd = open(held, O_CREAT | O_WRONLY, 0600);

	ok(fd != -1 && flock(fd, LOCK_EX) == 0, "somebody writes");
	close(open(left, O_CREAT | O_WRONLY, 0600));
	is_int(store_sweep(st), 0, "a sweep");
	ok(access(left, F_OK) == -1, "removes what nobody writes");
	ok(access(held, F_OK) == 0, "and leaves what somebody does");
	close(fd);
	is_int(store_sweep(st), 0, "a sweep after its death");
	is_int(count_names("tmp"), 0, "removes that, too");
	free(held);
	free(left);
}

int
main(void)
{
	struct store *st;
	char *cmd;

	crypto_start();
	clock_update();
	test_signatures();
	test_chunks();
	test_presign();
	test_xml();
	if (mkdtemp(root) == NULL)
		fatal("%s", root);
	if ((st = store_dir_open(root)) == NULL)
		fatal("%s", root);
	test_puts(st);
	test_gets(st);
	test_sweep(st);
	store_stop(st);
	is_int(store_sweep(st), ECANCELED, "nothing more after the stop");
	store_free(st);
	ok(store_dir_open("/nonexistent/linnet") == NULL, "no directory");
	cmd = xasprintf("rm -rf %s", root);
	is_int(system(cmd), 0, "done");
	free(cmd);
	return tap_done();
}
