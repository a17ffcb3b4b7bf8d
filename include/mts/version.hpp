#pragma once
/// \file
/// The version of these headers, semantic (major.minor.patch), and the only place where it is written: CMakeLists.txt reads
/// it from here. Before 1.0 a minor version may change any interface, a patch none: `find_package(mts 0.1)` takes 0.1.x only.

#define MTS_VERSION_MAJOR 0
#define MTS_VERSION_MINOR 1
#define MTS_VERSION_PATCH 0

#define MTS_DETAIL_VERSION_TEXT(major, minor, patch) #major "." #minor "." #patch
#define MTS_DETAIL_VERSION(major, minor, patch) MTS_DETAIL_VERSION_TEXT(major, minor, patch)
/// A string literal, like "0.1.0".
#define MTS_VERSION MTS_DETAIL_VERSION(MTS_VERSION_MAJOR, MTS_VERSION_MINOR, MTS_VERSION_PATCH)
