#pragma once
// The same steps in LibTorch, behind an interface that needs none of its headers.

#include <memory>
#include <string>
#include <vector>

#include "support/case.hpp"

namespace bench {

/// How a convolutional net is written in LibTorch. `nchw`: channels first, ReLU before pooling, as in most programs.
/// `channels_last`: that memory format, and pooling before ReLU, which LibTorch runs fastest. No matter for an MLP.
enum class Writing { nchw, channels_last };

/// A net, its batches and its three ways to take a step, each with parameters and optimisers of its own. One thread.
class Peer {
 public:
  virtual ~Peer() = default;

  /// SGD with momentum on the mean loss.
  virtual void plain() = 0;
  /// Selection as the reference implementation does it: an evaluation pass for the features, a virtual step on a second
  /// copy of the net, Gamma there, two forwards at theta +- (0.01/|Gamma|) Gamma, AdamW on phi, the real step.
  virtual void central_difference() = 0;
  /// Selection by differentiating through the virtual step.
  virtual void double_backward() = 0;

  // For verification: of the initial parameters.
  virtual mts::SampleVector losses() const = 0;
  virtual Parameters weighted_gradient(const mts::SampleVector& u) const = 0;
  virtual mts::SampleVector alignments(const Parameters& direction) const = 0;
  virtual mts::SampleVector weights() const = 0;  ///< p
  /// dL_val/dphi of the last `double_backward`.
  virtual Parameters hypergradient() const = 0;
};

/// \param offline  a row for each sample of the pool: the 13 columns that are only looked up
std::unique_ptr<Peer> make_peer(const Case& c, Writing writing, const Images& train, const Images& validation,
                                const mts::RowMatrix<float>& offline, const Parameters& theta, const Parameters& phi);

/// One thread in LibTorch and in its BLAS. \throws Error if that is not OpenBLAS: the reference BLAS would be no peer
void one_thread_in_torch();
/// LibTorch's version and its BLAS, in words.
std::string describe_torch();

}  // namespace bench
