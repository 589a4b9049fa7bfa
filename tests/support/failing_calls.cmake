# SPDX-License-Identifier: Apache-2.0
# Allocations and cryptographic calls of a program that the linker hands over to its __wrap_ functions (failing_calls.h).
function(nacre_wrap_failing_calls target)
  foreach(name malloc calloc realloc aligned_alloc strdup EVP_DigestUpdate EVP_DigestFinal_ex EVP_DigestVerify EVP_DigestSign
      EVP_CipherUpdate EVP_EncryptUpdate EVP_CipherFinal_ex EVP_PKEY_derive EVP_MAC_update EVP_MAC_final)
    target_link_options(${target} PRIVATE -Wl,--wrap=${name})
  endforeach()
endfunction()
