#include "mts/core/concepts.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "core/minimal_types.hpp"
#include "mts/core/check_parameters.hpp"

using namespace mts;

// ------------------------------------------------------------------------------------------------ what must pass

static_assert(ParameterVector<minimal::Vector>);
static_assert(ElementwiseParameterVector<minimal::ElementwiseVector>);
static_assert(SparseParameterVector<minimal::SparseVector>);
static_assert(SerializableParameterVector<minimal::SerializableVector>);
static_assert(SparseParameterVector<DenseParameters<float>>);
static_assert(SerializableParameterVector<DenseParameters<float>>);
static_assert(Forward<minimal::Values>);
static_assert(Linearization<minimal::Linearized, minimal::Vector>);
static_assert(Model<minimal::Model>);
static_assert(WeightNet<minimal::WeightNet>);
static_assert(FeatureExtractor<minimal::Extractor, int>);
static_assert(InnerOptimizer<minimal::UnitStep, minimal::Vector>);

// The words agree with the concepts: none of these fails to compile.
static_assert((require_parameter_vector<minimal::Vector>(), true));
static_assert((require_elementwise<minimal::ElementwiseVector>(), true));
static_assert((require_model<minimal::Model>(), true));
static_assert((require_weight_net<minimal::WeightNet>(), true));
static_assert((require_inner_optimizer<minimal::UnitStep, minimal::Vector>(), true));

// The ladder has steps: a rung is not taken for the next one.
static_assert(!ElementwiseParameterVector<minimal::Vector>);
static_assert(!SparseParameterVector<minimal::ElementwiseVector>);
static_assert(!SerializableParameterVector<minimal::ElementwiseVector>);
static_assert(!PushforwardLinearization<minimal::Linearized, minimal::Vector>);
static_assert(!PerSampleDotLinearization<minimal::Linearized, minimal::Vector>);
static_assert(!PerSampleNormLinearization<minimal::Linearized, minimal::Vector>);
static_assert(!ClassifierForward<minimal::Values>);
static_assert(!WeightNet<minimal::Model>);
static_assert(!Model<minimal::WeightNet>);

// ------------------------------------------------------------------- what must fail, each for the one reason it names

namespace {

/// Declares all that ParameterVector asks for; each type below spoils one thing.
template <class Self>
struct Fits {
  Self clone() const;
  Self zeros_like() const;
  void copy_into(Self&) const;
  double dot(const Self&) const;
  void axpy(double, const Self&);
  void scale(double);
  Index size() const;
};
struct AllThere : Fits<AllThere> {};
struct Immovable : Fits<Immovable> {
  Immovable(Immovable&&) = delete;
};
struct NoClone : Fits<NoClone> {
  void clone() const = delete;
};
struct CloneOfAnotherType : Fits<CloneOfAnotherType> {
  AllThere clone() const;
};
struct CloneNotConst : Fits<CloneNotConst> {
  CloneNotConst clone();
};
struct NoZerosLike : Fits<NoZerosLike> {
  void zeros_like() const = delete;
};
struct NoCopyInto : Fits<NoCopyInto> {
  void copy_into() const;
};
struct DotOfNothing : Fits<DotOfNothing> {
  void dot(const DotOfNothing&) const;
};
struct NoAxpy : Fits<NoAxpy> {
  void axpy() const;
};
struct NoScale : Fits<NoScale> {
  void scale() const;
};
struct SizeInWords : Fits<SizeInWords> {
  const char* size() const;
};

static_assert(ParameterVector<AllThere>);
static_assert(!ParameterVector<Immovable>);
static_assert(!ParameterVector<NoClone>);
static_assert(!ParameterVector<CloneOfAnotherType>);
static_assert(!ParameterVector<CloneNotConst>);
static_assert(!ParameterVector<NoZerosLike>);
static_assert(!ParameterVector<NoCopyInto>);
static_assert(!ParameterVector<DotOfNothing>);
static_assert(!ParameterVector<NoAxpy>);
static_assert(!ParameterVector<NoScale>);
static_assert(!ParameterVector<SizeInWords>);
static_assert(!ParameterVector<int>);

template <class Self>
struct FitsElementwise : Fits<Self> {
  using Scalar = float;
  std::span<const Segment> segments() const;
  template <class Make, class... Others>
  void transform(Make&&, Others&...);
};
struct AllElementwise : FitsElementwise<AllElementwise> {};
struct NoScalar : Fits<NoScalar> {
  std::span<const Segment> segments() const;
  template <class Make, class... Others>
  void transform(Make&&, Others&...);
};
struct NoSegments : FitsElementwise<NoSegments> {
  void segments() const = delete;
};
struct TransformsAlone : FitsElementwise<TransformsAlone> {
  template <class Make>
  void transform(Make&&);
};
static_assert(ElementwiseParameterVector<AllElementwise>);
static_assert(!ElementwiseParameterVector<NoScalar>);
static_assert(!ElementwiseParameterVector<NoSegments>);
static_assert(!ElementwiseParameterVector<TransformsAlone>);

struct SavesOnly : Fits<SavesOnly> {
  void save(std::ostream&) const;
};
static_assert(!SerializableParameterVector<SavesOnly>);

struct ValueOfFloats {
  const std::vector<float>& value() const;
};
struct NoPullback : minimal::Values {};
struct PullbackIntoAnother : minimal::Values {
  void pullback(const SampleVector&, AllThere&) const;
};
struct PullbackNotConst : minimal::Values {
  void pullback(const SampleVector&, minimal::Vector&);
};
static_assert(!Forward<ValueOfFloats>);
static_assert(!Linearization<NoPullback, minimal::Vector>);
static_assert(!Linearization<PullbackIntoAnother, minimal::Vector>);
static_assert(!Linearization<PullbackNotConst, minimal::Vector>);

struct NoBatch : minimal::InnerProducts {};
struct NoInitialize : minimal::Model {
  void initialize(RandomStream) const = delete;
};
struct InitializesAnother : minimal::Model {
  AllThere initialize(RandomStream) const;
};
struct NoForward : minimal::Model {
  void forward(const minimal::Vector&, const Batch&) const = delete;
};
struct LinearizesWithoutPullback : minimal::Model {
  NoPullback linearize(const minimal::Vector&, const Batch&) const;
};
struct ParametersDoNotFit : minimal::Model {
  using Parameters = std::vector<double>;
};
struct NoFeatures : minimal::InnerProducts {};
static_assert(!Model<NoBatch>);
static_assert(!Model<NoInitialize>);
static_assert(!Model<InitializesAnother>);
static_assert(!Model<NoForward>);
static_assert(!Model<LinearizesWithoutPullback>);
static_assert(!Model<ParametersDoNotFit>);
static_assert(!WeightNet<NoFeatures>);

struct NoLayout : minimal::Extractor {
  void layout() const = delete;
};
struct SaysNotWhatItReads : minimal::Extractor {
  static void reads_validation() = delete;
};
struct SaysSoOnlyAtRunTime : minimal::Extractor {
  bool reads_validation() const;
};
struct ExtractsIntoNothing : minimal::Extractor {
  void extract(int) const;
};
static_assert(!FeatureExtractor<NoLayout, int>);
static_assert(!FeatureExtractor<SaysNotWhatItReads, int>);
static_assert(!FeatureExtractor<SaysSoOnlyAtRunTime, int>);
static_assert(!FeatureExtractor<ExtractsIntoNothing, int>);

struct StepsOnly {
  void step(minimal::Vector&, const minimal::Vector&);
};
struct VirtualStepNotConst : minimal::UnitStep {
  void virtual_step(const minimal::Vector&, const minimal::Vector&, minimal::Vector&);
};
struct NoPull : minimal::UnitStep {
  void pull() const;
};
static_assert(Optimizer<StepsOnly, minimal::Vector>);
static_assert(!InnerOptimizer<StepsOnly, minimal::Vector>);
static_assert(!InnerOptimizer<VirtualStepNotConst, minimal::Vector>);
static_assert(!InnerOptimizer<NoPull, minimal::Vector>);

}  // namespace

TEST_CASE("the smallest model and weight net do what they declare") {
  const minimal::Model model;
  Eigen::MatrixXd x(3, 2);
  x << 1, 2, 3, 4, 5, 6;
  const auto theta = model.initialize(RandomStream(1, "concepts"));
  const auto lin = model.linearize(theta, x);
  CHECK(lin.value() == model.forward(theta, x).value());
  const SampleVector u = SampleVector::Ones(3);
  auto out = theta.zeros_like();
  lin.pullback(u, out);
  CHECK(out.entries() == std::vector<double>{9, 12});

  const minimal::WeightNet net;
  minimal::WeightNet::Features f;
  f.resize(3, {{"a", "b"}, {}});
  f.continuous = x;
  net.linearize(theta, f).pullback(u, out);
  CHECK(out.entries() == std::vector<double>{9, 12});
}

// --------------------------------------------------------------------------------------- requirements on behaviour

namespace {

/// Which requirement a `Handle` breaks.
enum class Fault {
  none,
  shallow_clone,
  clone_of_zeros,
  shallow_copy_into,
  copies_nothing,
  zeros_of_ones,
  shared_zeros,
  short_zeros,
  restless_dot,
  axpy_without_factor,
  axpy_of_the_first,
  axpy_changes_its_argument,
  scale_of_the_first
};

/// A handle to shared numbers, as a torch tensor is: copying it copies no numbers.
template <Fault fault>
class Handle {
 public:
  explicit Handle(std::vector<double> x) : x_(std::make_shared<std::vector<double>>(std::move(x))) {}

  Handle clone() const {
    if (fault == Fault::shallow_clone) return *this;
    if (fault == Fault::clone_of_zeros) return Handle(std::vector<double>(x_->size()));
    return Handle(*x_);
  }
  Handle zeros_like() const {
    if (fault == Fault::zeros_of_ones) return Handle(std::vector<double>(x_->size(), 1.0));
    if (fault == Fault::short_zeros) return Handle(std::vector<double>(x_->size() - 1));
    if (fault == Fault::shared_zeros) {
      if (!zeros_) zeros_ = std::make_shared<std::vector<double>>(x_->size());
      Handle z(std::vector<double>{});
      z.x_ = zeros_;
      return z;
    }
    return Handle(std::vector<double>(x_->size()));
  }
  void copy_into(Handle& y) const {
    if (fault == Fault::copies_nothing) return;
    if (fault == Fault::shallow_copy_into)
      y.x_ = x_;
    else
      *y.x_ = *x_;
  }
  double dot(const Handle& y) const {
    double sum = fault == Fault::restless_dot ? 1e-12 * static_cast<double>(++calls_) : 0;
    for (std::size_t k = 0; k < x_->size(); ++k) sum += (*x_)[k] * (*y.x_)[k];
    return sum;
  }
  void axpy(double a, const Handle& y) {
    const std::size_t length = fault == Fault::axpy_of_the_first ? 1 : x_->size();
    for (std::size_t k = 0; k < length; ++k) (*x_)[k] += (fault == Fault::axpy_without_factor ? 1 : a) * (*y.x_)[k];
    if (fault == Fault::axpy_changes_its_argument) (*y.x_)[0] = 0;
  }
  void scale(double a) {
    const std::size_t length = fault == Fault::scale_of_the_first ? 1 : x_->size();
    for (std::size_t k = 0; k < length; ++k) (*x_)[k] *= a;
  }
  Index size() const { return static_cast<Index>(x_->size()); }

 private:
  std::shared_ptr<std::vector<double>> x_;
  mutable std::shared_ptr<std::vector<double>> zeros_;
  mutable int calls_ = 0;
};

template <Fault fault>
std::string complaint() {
  try {
    check_parameter_vector(Handle<fault>({1, -2, 3}));
  } catch (const ValueError& e) {
    return e.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("check_parameter_vector finds nothing wrong with what is right") {
  CHECK_NOTHROW(check_parameter_vector(minimal::Vector({1, -2, 3})));
  CHECK_NOTHROW(check_parameter_vector(minimal::ElementwiseVector({1, -2, 3})));
  CHECK_NOTHROW(check_parameter_vector(minimal::SerializableVector({1e-30, 1e30})));
  DenseParameters<float> dense(std::vector<Segment>{{"a", 0, 40000, true}, {"b", 40000, 3, false}});
  RandomStream stream(1, "check_parameter_vector");
  for (Index k = 0; k < dense.size(); ++k) dense.values()[k] = static_cast<float>(stream.normal());
  CHECK_NOTHROW(check_parameter_vector(std::move(dense)));
  CHECK(complaint<Fault::none>() == "none");
}

TEST_CASE("check_parameter_vector names the requirement that is broken") {
  using F = Fault;
  const std::string where = "check_parameter_vector: ";
  CHECK(complaint<F::shallow_clone>() == where + "PV2: clone must be deep: changing the clone changed the original");
  CHECK(complaint<F::clone_of_zeros>() == where + "PV2: a clone must equal the original");
  CHECK(complaint<F::shallow_copy_into>() ==
        where + "PV4: copy_into must be deep: changing the copy changed the original");
  CHECK(complaint<F::copies_nothing>() == where + "PV4: after x.copy_into(y), y must equal x");
  CHECK(complaint<F::zeros_of_ones>() == where + "PV3: zeros_like must be 0, found <z, z> = 3");
  CHECK(complaint<F::shared_zeros>() == where + "PV3: changing zeros_like changed the next one");
  CHECK(complaint<F::short_zeros>() == where + "PV3: zeros_like has 2 entries, expected 3");
  CHECK(
      complaint<F::restless_dot>().starts_with(where + "PV5: dot must give the same bits at every call, found 14 and"));
  CHECK(complaint<F::axpy_without_factor>() == where + "PV4: after x.copy_into(y), y must equal x");
  CHECK(complaint<F::axpy_of_the_first>() == where + "PV6: 0 + 1 x is not x");
  CHECK(complaint<F::axpy_changes_its_argument>() == where + "PV3: changing zeros_like changed the original");
  CHECK(complaint<F::scale_of_the_first>() == where + "PV6: scale(2) did not double <y, x>");
}

TEST_CASE("check_parameter_vector wants a vector to work with") {
  CHECK_THROWS_WITH_AS(check_parameter_vector(minimal::Vector({0, 0})),
                       "check_parameter_vector: give it a vector of at least one entry, finite and not all zero; found "
                       "size 2, <x, x> = 0",
                       ValueError);
  CHECK_THROWS_AS(check_parameter_vector(minimal::Vector(std::vector<double>{})), ValueError);
  CHECK_THROWS_AS(check_parameter_vector(minimal::Vector({1, std::numeric_limits<double>::infinity()})), ValueError);
}

namespace {

struct SkipsAnEntry : minimal::ElementwiseVector {
  using ElementwiseVector::ElementwiseVector;
  SkipsAnEntry clone() const { return SkipsAnEntry(x_); }
  SkipsAnEntry zeros_like() const { return SkipsAnEntry(std::vector<double>(x_.size())); }
  template <class Make, class... Others>
  void transform(Make&& make, Others&... others) {
    auto op = make(segments_[0]);
    for (std::size_t k = 1; k < x_.size(); ++k) op(x_[k], others.x_[k]...);
  }
};
struct SegmentsTooShort : minimal::ElementwiseVector {
  explicit SegmentsTooShort(std::vector<double> x) : ElementwiseVector(std::move(x)) { segments_[0].length -= 1; }
  SegmentsTooShort clone() const { return SegmentsTooShort(x_); }
  SegmentsTooShort zeros_like() const { return SegmentsTooShort(std::vector<double>(x_.size())); }
};
struct LoadsWhatIsThere : minimal::SerializableVector {
  using SerializableVector::SerializableVector;
  LoadsWhatIsThere clone() const { return LoadsWhatIsThere(x_); }
  LoadsWhatIsThere zeros_like() const { return LoadsWhatIsThere(std::vector<double>(x_.size())); }
  void load(std::istream& in) {
    in.read(reinterpret_cast<char*>(x_.data()), static_cast<std::streamsize>(x_.size() * sizeof(double)));
  }
};

}  // namespace

TEST_CASE("check_parameter_vector looks at the higher rungs where a type claims them") {
  CHECK_THROWS_WITH_AS(check_parameter_vector(SkipsAnEntry({1, 2})),
                       "check_parameter_vector: EP3: transform must visit every entry, with the entries of all vectors "
                       "in step",
                       ValueError);
  CHECK_THROWS_WITH_AS(check_parameter_vector(SegmentsTooShort({1, 2})),
                       "check_parameter_vector: EP2: the segments have 1 entries in all, expected 2", ValueError);
  CHECK_THROWS_WITH_AS(check_parameter_vector(LoadsWhatIsThere({1, 2})),
                       "check_parameter_vector: SR1: load must refuse a stream that ends early", ValueError);
}
