#pragma once
/// \file
/// MTS_SANITIZED: defined where an address or thread sanitizer replaces the allocator, which then ends the program instead
/// of throwing, and cannot be replaced in turn.

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MTS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MTS_SANITIZED 1
#endif
#endif
