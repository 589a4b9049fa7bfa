/* SPDX-License-Identifier: Apache-2.0 */
/* The hybrid exchanges: what they refuse, and that K is made as RFC 9941 says. Where the library has no such row, there
 * is nothing to test. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "crypto/kem.h"
#include "crypto/kex_agree.h"
#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"

TestSuite(hybrid, .init = crypto_set_up, .fini = crypto_tear_down);

enum {
    X25519_LEN = 32
};

static const struct kex_alg *row(const char *name)
{
    const struct kex_alg *alg = nacre_kex_find(crypto, span_str(name));
    if (alg == NULL)
        cr_skip_test("%s: not in this build", name);
    return alg;
}

static struct kex_state *start(const struct kex_alg *alg, struct buf *public)
{
    nacre_buf_init(public, KEX_PUBLIC_MAX);
    struct kex_state *k = alg->ops->start(crypto, alg, NULL, public);
    cr_assert_not_null(k);
    return k;
}

static bool responds(const struct kex_alg *alg, const uint8_t *at, size_t len, struct buf *answer,
                     struct kex_shared *shared)
{
    answer->len = 0;
    return alg->ops->respond(crypto, alg, span_of(at, len), answer, shared);
}

static bool finishes(struct kex_state *k, const uint8_t *at, size_t len, struct kex_shared *shared)
{
    return k->alg->ops->finish(k, span_of(at, len), shared);
}

static void server_refuses(const struct kex_alg *alg, size_t public_len, const struct buf *public, struct buf *answer)
{
    static struct kex_shared shared;
    static uint8_t bytes[KEX_PUBLIC_MAX];
    cr_assert_eq(public->len, public_len + X25519_LEN);
    memcpy(bytes, public->at, public->len);
    for (size_t len = 0; len < public->len + 80; len++)
        cr_expect(len == public->len || !responds(alg, bytes, len, answer, &shared), "%zu bytes", len);
    memset(bytes + public_len, 0, X25519_LEN);
    cr_expect_not(responds(alg, bytes, public->len, answer, &shared), "a point of small order");
}

static void client_refuses(struct kex_state *k, size_t ciphertext_len, struct buf *answer)
{
    static struct kex_shared shared;
    static uint8_t bytes[KEX_PUBLIC_MAX];
    cr_assert_eq(answer->len, ciphertext_len + X25519_LEN);
    memcpy(bytes, answer->at, answer->len);
    for (size_t len = 0; len < answer->len + 80; len++)
        cr_expect(len == answer->len || !finishes(k, bytes, len, &shared), "%zu bytes", len);
    memset(bytes + ciphertext_len, 0, X25519_LEN);
    cr_expect_not(finishes(k, bytes, answer->len, &shared), "a point of small order");
}

/* Who changes a byte of the ciphertext gets no refusal but another K, which the signature over it shows. */
static void changed_ciphertext_changes_k(struct kex_state *k, struct buf *answer, const struct kex_shared *theirs)
{
    static struct kex_shared ours;
    cr_assert(finishes(k, answer->at, answer->len, &ours));
    cr_expect(span_eq(span_of(ours.bytes, ours.len), span_of(theirs->bytes, theirs->len)));
    answer->at[5] ^= 1;
    cr_assert(finishes(k, answer->at, answer->len, &ours));
    cr_expect_eq(ours.len, theirs->len);
    cr_expect_not(span_eq(span_of(ours.bytes, ours.len), span_of(theirs->bytes, theirs->len)));
}

static void check_row(const char *name, size_t public_len, size_t ciphertext_len, size_t k_len)
{
    static struct kex_shared shared;
    const struct kex_alg *alg = row(name);
    struct buf public, answer;
    struct kex_state *k = start(alg, &public);
    nacre_buf_init(&answer, KEX_PUBLIC_MAX);
    server_refuses(alg, public_len, &public, &answer);
    cr_assert(responds(alg, public.at, public.len, &answer, &shared));
    cr_expect_eq(shared.len, 4 + k_len, "K is the hash as a string");
    client_refuses(k, ciphertext_len, &answer);
    changed_ciphertext_changes_k(k, &answer, &shared);
    nacre_buf_free(&answer);
    nacre_buf_free(&public);
    alg->ops->free(k);
}

Test(hybrid, r35_mlkem_refuses_other_lengths_and_points_of_small_order)
{
    check_row("mlkem768x25519-sha256", 1184, 1088, 32);
}

Test(hybrid, r35_sntrup_refuses_other_lengths_and_points_of_small_order)
{
    check_row("sntrup761x25519-sha512", 1158, 1039, 64);
}

Test(hybrid, r35_sntrup_by_its_older_name)
{
    check_row("sntrup761x25519-sha512@openssh.com", 1158, 1039, 64);
}

/* FIPS 203 section 7.2: coefficients past the modulus. */
Test(hybrid, r35_mlkem_refuses_a_key_that_is_none)
{
    static struct kex_shared shared;
    const struct kex_alg *alg = row("mlkem768x25519-sha256");
    struct buf public, answer;
    struct kex_state *k = start(alg, &public);
    nacre_buf_init(&answer, KEX_PUBLIC_MAX);
    memset(public.at, 0xff, 1184);
    cr_expect_not(responds(alg, public.at, public.len, &answer, &shared));
    nacre_buf_free(&answer);
    nacre_buf_free(&public);
    alg->ops->free(k);
}

/* The first case that sntrup761's authors gave NIST (kat_kem.rsp, 2020), and beside it the private key of Bob and the
 * public one of Alice in RFC 7748 section 6.1. K, RFC 9941 section 3: SHA-512 over sntrup761's secret 344ca5e2..43a2
 * and then X25519's 4a5d9d5b..1742. */
Test(hybrid, sntrup_matches_the_case_of_its_authors)
{
    static const char private[] =
        "55565515155545556569159955a2555455456161450594556556915055895615548852955456550098544995555aa5465400a555"
        "5558956510a6515596559665996a44915415414465565555551105624156954944626940555555165665955555a5159155595659"
        "1565651542404089195454566955859064258656285054569505a6a956949446661415580115565055485955259049a554552545"
        "5504526a195455554185525a89962552555658248464451455658965625851545915018508154a51a0448959112a286212608a52"
        "911a949119a2895664165900a861541a200a52104029544600425a5a1198101a1a50a094a551425a484959a1506486a618555a89"
        "905615029622a2a46696a2a6595a46682622525050489a8040562808168156854185026540a1059a94aaa291811948a259816991"
        "110951802409aa5a2a06290092451446655608404096898aa56220562285150891914066110a0905a841044865042a2688aa1244"
        "1aaa46064669155555a2109659299922820036c969cf1008a6aa9551a784941c65a9bf68c2dc33fa36b5d266b25171b346679f2d"
        "22bf3123a79c790d6dec68e1bc44420a6824f5357c78e3c336fee0551e620dcb975f563682a312a3353b521c727f57cabed0c322"
        "8f09317cae8b58158ebf5b26bdc6e6365aa601acad2abd37f5830d0bbfe355705c0a62b76a5c910ad04e55e5dad749c7393d2e2e"
        "8ab643e62e4757ad2201caa33203f53b4a9d4757e7274d72bdb036a31d7de11e5d1c66cf3059f33b6a2972c1e1d9c9fb2aebc78b"
        "2c055d48d79c3a7c996c08b7def0791cde895053885d8da1d254ee19c090af34f4720b0b77139108d8498982feab0b54934cee3d"
        "cd24b049f981a84c928028a64a26cdf87052313c3e50b2e1f539394502433c0962996c3599189b15174281b6595b567b8c4cd809"
        "02860e613ae1906a55607cbf0e11ad6c0c0df38c006a5f535fa6e6fb49d10b78b9cb6473bf0630518db6fdecfd70ded201c7e35f"
        "fb3bb78d8aec181f6de960c316fe354b7cc69e8048201965aafef4ea3f808737ff45255a1779de57a4b68db587263d7b7f6cb07d"
        "8b01224dd291237efd9c01676e30154a2a7d60174536580fe64efedda5fb42c13ed8c5768a3cbcae7a2343b3128cd5c1c663a07c"
        "7dc0e1e2642c0d9a02f349c964154a6c4308d8ecf30f47e9a81eed2a32a2bb44dfc36a28a66ae77bb139fa416b6327eefe336324"
        "69ccc21229587573c4f7752ce1cc79ca0c6bda08cd79e25720d2d9092ea2ab13f31e9a3af1c69fc6379d8e2ad2b87b514c817a08"
        "7338b7b0736b8954de9223225b40079c92601248c14b2104901e74f849d9eee9f5636c1dad6031ab477c573197e7eb6ce535d9f0"
        "f69183dd9df5521595e5c9e98d846ce08aa655b70cc0d8041401929690298f645d9112dbb03b189cdb1fcf4d512f6874b409bf55"
        "ee1cc284a05b698b8818f043c2591c9f4aba29cf4259915d6a0be71b6b93963c618cbb567838e5eade6500de9ad250083a01eb3e"
        "b44c00eecb2b0f874cda165faa6524ca13d435c938db9469292fe97283c69222107ea2f9efca1b6d41dca5b149b2a8cc2244a1bc"
        "54261cc11742acd27b7f2352c33fb83fe143386479d78d6d5c3e51684b60a56714182449c94327139b0289b9bde0ae3fef319fe2"
        "c605ab5507c894d2c2761a3bd3ea30f4ba928f9f23303061617e2f042dcf229aff2c9345a6b3cdcf90d3e3bcc3a1110c85616bd5"
        "85c31cde3e69adc12a18bfa5797df0543435a7c874a8acf3786fccba4a6ceaa65e5666230aa7206ae78eb1b98cb5236508e6357e"
        "18cccfaec5693532be4ee38022c48fe94f62b0293a088bf4d737f48748f23bcb338b58b4d666ad3c64e9ecd07265f971b07af716"
        "d4a5b719c3f5fe35744734cba5430381661e372b6f6510d61b11e4697a1a961589949dba53b5bc5bdb76fa09324387d799536506"
        "182eff7078034b34e1ddd2612b0a40e7f1a294fba869da2e46c4c36bb08c7e9bef09a94459e8fc2d3cc579d15284df1f19ef77e0"
        "3041511acc39bf9ca8ac8de6a0e5eea0bbd4289b6dae38e9e82eb50a0397b3ee6c52fbdc7deea2c376825e89016c859b09488548"
        "bf76ca62d696df94a61e8f0e13c69ee816ce5aa2768987b0a782d74c673ec0059fa532ae97f8bdf90f90130926654fb8b469d772"
        "049d72a8375cd8459d06cc1b90633eb3a899685d21491b5062a9fc73fb6e878d7a73198efa0b569d9ce665ce126ffdc9862eb00d"
        "11f457a7995555f7c92011c24e1cec45c270fb5f121f08177f97fc3f631c0ef86a92e99d557fb69a0f6fcd8b1c0ef94aa7429b3a"
        "8a11614d847202d3d04a98313fc0d63abf9fd75ca321c879458bf8837b7e74ccf5179c7714fa9800d1821ee3f9639d28136b7910"
        "872631f85ae7b6dd289e01034217210859d4e53c65487ce38aff621da76ba1c4e2e77ed5380b47b8d983ccb5bb793e";
    static const char ciphertext[] =
        "84f327d38929039ef84366ab796a96e6cc268454d5ad8d05410d3e969b6d228b6ced2cbad7bab3b4b7ee453747d3331d43b21cd2"
        "ecc3bf557d696e81773ee69f687fe1f61e63742af913a35418575467118409d4ffdbbac5ca062dff3f04d76154d17ec34212debf"
        "ca967a91e461f73786d949d6a9765140b9dc7849639a487058f45dda919576090d35e783804ba7b8b33b5c6a8c1ebb7c39f04269"
        "6cf9f2b624d26ea5d6d101489e242cc35126b573928b6b8bf9945269ad22e7da70ccb7dc374f75641978d5f6d5f540a1169eb098"
        "570a7cfd65c9257c4c196f42c6da4f4466d8f11a17c6a75a9bdd45b5ac77a8367b005ed22141a81b995a19e4dc9e6743b4b45e03"
        "29e7a00d3ff90c7a917cdc9ca75a34fffdd9a321751b5c8b2ab9e1ea037cf45c04b412a97f52e7c6d66508456d9117961257b4f5"
        "0bb9f500de99b6f061c377d44f495d711ab2ed3e88ccf14df10f8c60bd00e29cd83ad160faef2984fac7e897cbb8cda144d50e4c"
        "1ad20238a2617598da6efe786aa82e0931b0b5d1a7fa024b856353afaedb0a1150a42da182353ce5a00403bb6b7a13effc14b0fd"
        "97e1117302ed8a66faaed88b43b34cfc73cb33e49a4c34d0bfdee2feadc2b4c8bb1ec41215586fc66550d496373305b99cee254e"
        "ac71d3cdac689a777062acae65b031b5a1a973835be6a4bb061f178531c45de3b33e7763b483621821e037fe5ef48fd971d8d2be"
        "fda63250e9b1181d8b8086bed9cda8cde6644cde8ebf7c1f1038afe798a2a4c492b603b7f4f8805d0fdf19d8274888cebec3043c"
        "c9acf024bd30d8b0d28d311985930110386598775cf84e0848b11e090905a65f56142fc17d2573536fc51e7d5b2e0ff7b0947115"
        "5008561156fbaec215031ed0d844eb14d6c609173355fff8ae22c6e5bccd19b2832e5fbe625c2c0e516e1369d1fcf49a5fdbaf8c"
        "f572f04317db8ed70ee1605b96d077b4f054c72b139f5bcaa5bb627e39be5bcc97af922c5e70835bd918281b95e557fc86a43c75"
        "980a0d9f0f9162f230014cd867dd07db23260934546c04499d6b8627b8d5dec73fa45327f84983529baf3aa10e885724fe760550"
        "99d136ccaacc159b4ce38784404cc9b04723910f990af77c64d42a29d784fc897955758f1d2a12bb7c6f6a8e5b94efa740f662cf"
        "0da2d099c61ee1cc6b661a64f0887b805af53c7b64c4456daf228582c1b2212a8f718e56df6b72d7efa0c5d26582ce96aefce13c"
        "b2830c3fb32e5115aacc20d3a335f7a4c12e0cd1de532d8d9d42d69bc2d0be0ac7df3b8f416b9a53db261c47272725a8a8829867"
        "8351b42103219092076b6ece744d993388a8f2c475079cb8bc4dc492a4797147c01ea3508225826f7a3d32bf502b0f4552f36fc9"
        "f6fb91e82db1949338b45436ec0ff63b53f900f27f8147d420f93d33c83794980e94143fd361f944ddb56d3114ee974c96a155";
    static const char k[] = "00000040"
                            "9984931de666438023b224978d616b9e0d57fdc307428cc1b0240e1fa8567dfa"
                            "a857f38c70ac86f5f35e04818325556cbf78b2ab6f6e0cb927e559822527ff7b";
    static const char bob[] = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    static const char alice[] = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    static struct kex_shared shared;
    uint8_t answer[1039 + X25519_LEN], own[X25519_LEN], *secret = malloc(1763);
    const struct kex_alg *alg = row("sntrup761x25519-sha512");
    struct buf public;
    struct kex_state *s = start(alg, &public);
    cr_assert_not_null(secret);
    cr_assert_eq(unhex(private, secret), 1763);
    cr_assert_eq(unhex(ciphertext, answer), 1039);
    cr_assert_eq(unhex(alice, answer + 1039) + unhex(bob, own), sizeof own + X25519_LEN);
    alg->kem->free(s->kem);
    s->kem = secret;
    EVP_PKEY_free(s->own);
    s->own = EVP_PKEY_new_raw_private_key_ex(crypto->lib, "X25519", NULL, own, sizeof own);
    cr_assert(finishes(s, answer, sizeof answer, &shared));
    cr_expect(is_hex(shared.bytes, shared.len, k));
    nacre_buf_free(&public);
    alg->ops->free(s);
}

/* Nothing that demands FIPS has sntrup761, which is outside of the module. */
Test(hybrid, fips_leaves_sntrup_out)
{
    struct nacre_crypto *fips = nacre_crypto_open_fips();
    if (fips == NULL)
        cr_skip_test("no FIPS module here");
    cr_expect_null(nacre_kex_find(fips, span_str("sntrup761x25519-sha512")));
    cr_expect_null(nacre_kex_find(fips, span_str("sntrup761x25519-sha512@openssh.com")));
    nacre_crypto_unref(fips);
}

/* What the build says of itself is what it does. */
Test(hybrid, versions_say_whether_sntrup_is_there)
{
    bool said = strstr(nacre_crypto_versions(), "without libgcrypt") == NULL;
    cr_expect_eq(nacre_kex_find(crypto, span_str("sntrup761x25519-sha512")) != NULL, said);
    cr_expect_eq(nacre_kex_find(crypto, span_str("sntrup761x25519-sha512@openssh.com")) != NULL, said);
    cr_expect_eq(strstr(nacre_algs_usable(crypto, ALG_KEX), "sntrup761") != NULL, said);
}
