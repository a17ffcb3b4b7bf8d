#pragma once
/// \file
/// A reference to anything callable: what a non-template function takes instead of a template parameter, without allocating.

#include <concepts>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace mts::detail {

template <class Signature>
class FunctionRef;

/// Refers to a callable object (a lambda; a plain function must be wrapped in one), which must outlive it; a null one must not be
/// called.
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  FunctionRef() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, FunctionRef> && std::is_object_v<std::remove_reference_t<F>> &&
             std::is_invocable_r_v<R, F&, Args...>)
  FunctionRef(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          return std::invoke(*static_cast<std::remove_reference_t<F>*>(object), std::forward<Args>(args)...);
        }) {}

  explicit operator bool() const { return call_ != nullptr; }
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_ = nullptr;
  R (*call_)(void*, Args...) = nullptr;
};

}  // namespace mts::detail
