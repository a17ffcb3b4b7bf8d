// Rules of image primitives on a device, where the tests of the primitives do not reach (those hold every primitive
// against the CPU): ties, chunks of samples, whole nets, and the index arithmetic of windows.
#include <doctest/doctest.h>

#include <set>
#include <utility>

#include "mts/nn/cnn.hpp"
#include "mts/nn/resnet.hpp"
#include "nn/image_nets.hpp"
#include "support/device_parity.hpp"
#include "support/emulated.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;
using cuda::Emulation;

// ------------------------------------------------------------------------------------------------------------- windows

namespace {

using Seen = std::set<std::pair<int, int>>;  // (output, tap), or (tap, pixel)

/// Tap and pixel of one direction by its definition.
template <class F>
void each_tap_on_image(const cuda::WindowAxis& a, F&& f) {
  for (int y = 0; y < a.out; ++y)
    for (int tap = 0; tap < a.kernel; ++tap) {
      const int pixel = y * a.stride + tap * a.dilation - a.padding;
      if (pixel >= 0 && pixel < a.in) f(y, tap, pixel);
    }
}
void check_axis(const cuda::WindowAxis& a) {
  std::vector<Seen> windows(static_cast<std::size_t>(a.in)), taps(static_cast<std::size_t>(a.out));
  each_tap_on_image(a, [&](int y, int tap, int pixel) {
    windows[static_cast<std::size_t>(pixel)].insert({y, tap});
    taps[static_cast<std::size_t>(y)].insert({tap, pixel});
  });
  for (int pixel = 0; pixel < a.in; ++pixel) {
    Seen found;
    int last = -1;
    a.each_window(pixel, [&](int y, int tap) {
      found.insert({y, tap});
      CHECK(y > last);
      last = y;
    });
    CHECK(found == windows[static_cast<std::size_t>(pixel)]);
  }
  for (int y = 0; y < a.out; ++y) {
    Seen found;
    for (int tap = a.first_tap(y); tap < a.end_tap(y); ++tap) found.insert({tap, a.pixel(y, tap)});
    CHECK(found == taps[static_cast<std::size_t>(y)]);
  }
}
cuda::ImageWindow window_over(const ImageShape& in, const Window& w) { return {in, w, w.output("test", in)}; }

}  // namespace

TEST_CASE("windows on a device: the taps of an output and the windows over a pixel, by the definition") {
  std::vector<Sliding> cases = pooling_cases;
  // Strides beyond the image, and beyond 32 bits: nobody takes the step.
  cases.push_back({{5, 4, 1}, {.kernel = {2, 3}, .stride = {Index{1} << 40, 100}, .padding = {1, 0}}});
  cases.push_back({{3, 3, 1}, {.kernel = {1, 1}, .padding = {4, 2}, .dilation = {Index{1} << 40, 7}}});
  for (const Sliding& s : cases) {
    CAPTURE(mts::testing::in_words(s));
    const auto w = window_over(s.in, s.window);
    check_axis(w.rows);
    check_axis(w.columns);
    for (Index k = 0; k < s.in.size(); ++k) {
      const auto e = w.in_entry(k);
      CHECK(w.in_number(e.row, e.column, e.channel) == k);
    }
  }
}

TEST_CASE("windows on a device: every column of a patch matrix is one tap") {
  for (const auto& [groups, kernel] : std::vector<std::pair<int, Extent>>{{1, {3, 2}}, {2, {1, 4}}, {6, {2, 2}}}) {
    const cuda::kernels::Patches patches{window_over({5, 5, 6}, {.kernel = kernel}), 6 / groups};
    REQUIRE(patches.cols() == kernel.height * kernel.width * 6);
    for (Index k = 0; k < patches.cols(); ++k) {
      const auto tap = patches.tap(k);
      CHECK(patches.number(tap) == k);
      CHECK(tap.channel / (6 / groups) == k / (patches.cols() / groups));  // a group's columns are together
    }
  }
}

TEST_CASE("windows on a device: refuse an image that 32-bit numbers can't count") {
  CHECK_THROWS_WITH_AS(window_over({Index{1} << 30, 1, 1}, {.kernel = {1, 1}}),
                       doctest::Contains("expected fewer than 2^30 padded pixels in each direction, found 1073741824"),
                       ShapeError);
}

// ----------------------------------------------------------------------------------------- ties, NaN, images far from 0

namespace {

/// The rules of a primitive of one input, called directly. \param w  its parameters, as a row
template <class S>
class OnDevice {
 public:
  OnDevice(const cuda::Rules<S, Emulation>& rules, const RowMatrix<double>& x, Index out,
           const RowMatrix<double>& w = {})
      : rules_(rules),
        x_(upload(x)),
        w_(upload(w)),
        y_(queue_, x.rows() * out),
        in_{x_.data(), x.rows(), x.cols()},
        out_(out) {
    rules_.forward(at(), writable(y_, out_));
  }
  RowMatrix<double> output() const { return rows(y_, out_); }
  RowMatrix<double> pullback(const RowMatrix<double>& delta, const RowMatrix<double>* before = nullptr) {
    const auto d = upload(delta);
    auto g = before ? upload(*before) : cuda::Buffer<S, Emulation>(queue_, in_.size());
    const cuda::Sink<S> sink{writable(g, in_.cols), before != nullptr}, none{};
    rules_.pullback(at(), {d.data(), in_.rows, out_}, std::span(&sink, 1));
    rules_.pullback(at(), {d.data(), in_.rows, out_}, std::span(&none, 1));
    return rows(g, in_.cols);
  }
  RowMatrix<double> pushforward(const RowMatrix<double>& tangent) {
    const auto v = upload(tangent);
    const cuda::ConstMatrix<S> tangents{tangent.size() > 0 ? v.data() : nullptr, in_.rows, in_.cols};
    cuda::Buffer<S, Emulation> out(queue_, in_.rows * out_);
    rules_.pushforward(at(), std::span(&tangents, 1), nullptr, writable(out, out_));
    return rows(out, out_);
  }

 private:
  using Memory = cuda::Buffer<S, Emulation>;
  cuda::At<S, Emulation> at() const { return {queue_, in_.rows, std::span(&in_, 1), {}, w_.data()}; }
  Memory upload(const RowMatrix<double>& x) const {
    const RowMatrix<S> narrow = x.cast<S>();
    return Memory(queue_, std::span<const S>(narrow.data(), static_cast<std::size_t>(narrow.size())));
  }
  cuda::Matrix<S> writable(Memory& m, Index cols) const { return {m.data(), in_.rows, cols}; }
  RowMatrix<double> rows(const Memory& m, Index cols) const {
    const auto host = m.to_host();
    return Eigen::Map<const RowMatrix<S>>(host.data(), in_.rows, cols).template cast<double>();
  }

  const cuda::SharedQueue<Emulation> queue_ = cuda::make_queue<Emulation>();
  const cuda::Rules<S, Emulation>& rules_;
  Memory x_, w_, y_;
  cuda::ConstMatrix<S> in_;
  Index out_;
};

/// Inputs are multiples of 1/2, so that equal taps are frequent.
template <class S, class P>
void check_pooling(const P& primitive, const cuda::Rules<S, Emulation>& rules,
                   const std::function<Jacobian(const Vector&)>& jacobian) {
  constexpr Index samples = 3;
  const RandomStream stream(71, "pooling on a device");
  const Index width = primitive.in.size(), out = primitive.out().size();
  const RowMatrix<double> x = (4 * random_matrix(samples, width, stream.substream("x"))).array().round() / 2;
  const auto some = [&](Index cols, const char* name) {
    return snap(random_matrix(samples, cols, stream.substream(name)));
  };
  const auto delta = some(out, "delta"), before = some(width, "before"), v = some(width, "v");
  RowMatrix<double> y(samples, out), dx(samples, width), dy(samples, out);
  for (Index i = 0; i < samples; ++i) {
    const Jacobian j = jacobian(x.row(i).transpose());
    y.row(i) = (j * x.row(i).transpose()).transpose();
    dx.row(i) = delta.row(i) * j;
    dy.row(i) = (j * v.row(i).transpose()).transpose();
  }
  OnDevice<S> direct(rules, x, out);
  const double allowed = 10 * static_cast<double>(Eigen::NumTraits<S>::epsilon());
  check_rows("forward", direct.output(), y, allowed);
  check_rows("pullback", direct.pullback(delta), dx, allowed);
  check_rows("pullback, added", direct.pullback(delta, &before), before + dx, allowed);
  check_rows("pushforward", direct.pushforward(v), dy, allowed);
  CHECK(direct.pushforward({}).isZero(0));
}

}  // namespace

TEST_CASE_TEMPLATE("pooling on a device: of equal taps the first is the maximum; means count what they should", S,
                   float, double) {
  std::vector<Sliding> cases = pooling_cases;
  cases.push_back({{5, 4, 2}, {.kernel = {2, 3}, .stride = {Index{1} << 40, 100}, .padding = {1, 0}}});
  for (const Sliding& s : cases) {
    CAPTURE(mts::testing::in_words(s));
    const std::vector<Index> widths{s.in.size()};
    const MaxPool2d largest{s.in, s.window};
    check_pooling<S>(largest, cuda::MaxPool2dRules<S, Emulation>(largest, widths),
                     [&](const Vector& x) { return max_jacobian(s.in, s.window, x); });
    for (bool count_padding : {true, false}) {
      const AveragePool2d mean{s.in, s.window, count_padding};
      check_pooling<S>(mean, cuda::AveragePool2dRules<S, Emulation>(mean, widths),
                       [&](const Vector&) { return average_jacobian(s.in, s.window, count_padding); });
    }
  }
}

TEST_CASE("max pooling on a device: NaN wins wherever it is, and carries no derivative") {
  const MaxPool2d p{{2, 2, 1}, {.kernel = {2, 2}, .stride = {2, 2}}};
  const cuda::MaxPool2dRules<double, Emulation> rules(p, std::vector<Index>{4});
  for (Index k = 0; k < 4; ++k) {
    RowMatrix<double> x(1, 4), delta(1, 1), v(1, 4);
    x << 1, 2, 3, 2;
    delta << 5;
    v << 1, 2, 3, 4;
    x(0, k) = std::numeric_limits<double>::quiet_NaN();
    OnDevice<double> direct(rules, x, 1);
    CHECK(std::isnan(direct.output()(0, 0)));
    CHECK(direct.pullback(delta).isZero(0));
    CHECK(direct.pushforward(v).isZero(0));
  }
}

TEST_CASE("group norm on a device: images far from 0 keep their digits") {
  // Multiples of 2^-6, the same in float; the mean is rounded to 2^-10, which must not show.
  const ImageShape in{16, 16, 4};
  const GroupNorm norm{in, 2};
  RowMatrix<double> x = random_matrix(2, in.size(), RandomStream(70, "images")), w(1, 8);
  x = (x.array() * 64).round() / 64 + 1e4;
  w << 1, 1, 1, 1, 0, 0, 0, 0;
  const cuda::GroupNormRules<float, Emulation> rules(norm, std::vector<Index>{in.size()});
  check_rows("float", OnDevice<float>(rules, x, in.size(), w).output(), normalised(in, 2, 1e-5, x), 5e-6);
}

// -------------------------------------------------------------------------------------------------------------- chunks

namespace {

/// The primitive P, whose rules R on a device get so little room.
template <class P>
struct Bounded : P {
  Bounded(const P& p, Index most) : P(p), room(most) {}
  Index room;
};
template <template <class, class> class R, class P, class S>
struct BoundedRules : R<S, Emulation> {
  BoundedRules(const Bounded<P>& p, Widths in) : R<S, Emulation>(p, in, p.room) {}
};

/// Device against CPU with little room. \return launches of the whole report
template <template <class, class> class R, class S, class P>
Index bounded_launches(const P& primitive, Index room, Index samples, double tolerance) {
  const Bounded<P> bounded(primitive, room);
  Graph<S> g;
  const Node x = g.input(primitive.in.size()), fed = g.add(Linear{.outputs = primitive.in.size()}, {x}, "feed");
  const Node y = g.add(bounded, {fed}, "bounded");
  // A second consumer, so that the pullback adds.
  const Node target = g.input(g.width(y)), value = g.add(SquaredError{}, {y, target});
  const Node beside = g.add(Linear{.outputs = 1}, {fed}, "beside");
  const Node sum = g.add(Add{}, {value, beside});
  const Network<S> net(std::move(g), {.value = sum});
  auto theta = net.initialize(RandomStream(72, "bounded"));
  theta.values() += random_vector(theta.size(), RandomStream(73, "off"), 0.25).template cast<S>();
  const OwnedInput<S> input({random_matrix(samples, primitive.in.size(), RandomStream(74, "x")),
                             random_matrix(samples, net.graph().width(y), RandomStream(75, "target"))},
                            {}, samples);
  cuda::Translation<S, Emulation> translation;
  translation.template add<Bounded<P>, BoundedRules<R, P, S>>();
  const auto queue = cuda::make_queue<Emulation>();
  check(parity_report(mts::detail::text("room ", room, ", N = ", samples), queue, net, theta, input.input(), tolerance,
                      10, translation));
  return queue->launches();
}
template <template <class, class> class R, class S, class P>
void check_bounded(const P& primitive, Index room, Index samples, bool several = true) {
  const double tolerance = std::is_same_v<S, double> ? 1e-12 : 1e-5;
  const Index launches = bounded_launches<R, S>(primitive, room, samples, tolerance);
  const Index at_once = bounded_launches<R, S>(primitive, Index{1} << 24, samples, tolerance);
  if (several)
    CHECK(launches > at_once);
  else
    CHECK(launches == at_once);
}

constexpr Window same3{.kernel = {3, 3}, .padding = {1, 1}};

}  // namespace

TEST_CASE_TEMPLATE("convolution on a device: in chunks of samples, with remainders, as without", S, float, double) {
  const Conv2d plain{.in = {4, 3, 2}, .channels = 3, .window = same3};  // 216 numbers of patches a sample, 36 outputs
  for (Index samples : {1, 2, 7}) {
    check_bounded<cuda::Conv2dRules, S>(plain, 1, samples, samples > 1);    // one by one
    check_bounded<cuda::Conv2dRules, S>(plain, 600, samples, samples > 2);  // two by two
  }
  const Conv2d grouped{.in = {5, 4, 6},
                       .channels = 9,
                       .window = {.kernel = {2, 3}, .stride = {2, 1}, .padding = {1, 1}, .dilation = {1, 2}},
                       .groups = 3};
  check_bounded<cuda::Conv2dRules, S>(grouped, 1, 7);     // fewer samples at a time than groups
  check_bounded<cuda::Conv2dRules, S>(grouped, 2500, 9);  // more
  const Conv2d pointwise{.in = {2, 3, 4}, .channels = 6, .window = {.kernel = {1, 1}}, .groups = 2, .bias = false};
  check_bounded<cuda::Conv2dRules, S>(pointwise, 1, 5);
  check_bounded<cuda::Conv2dRules, S>(pointwise, 100, 5);
}

TEST_CASE_TEMPLATE("group norm on a device: in chunks of samples, with remainders, as without", S, float, double) {
  const GroupNorm norm{.in = {3, 2, 6}, .groups = 3};
  check_bounded<cuda::GroupNormRules, S>(norm, 1, 5);
  check_bounded<cuda::GroupNormRules, S>(norm, 7, 5);
}

TEST_CASE("convolution on a device: its memory does not grow with the batch") {
  const Conv2d p{.in = {8, 8, 4}, .channels = 4, .window = same3};  // 2304 numbers of patches a sample
  const std::vector<Index> widths{p.in.size()};
  constexpr Index room = 5000;
  const cuda::Conv2dRules<double, Emulation> rules(p, widths, room);
  constexpr Index samples = 50;
  const auto queue = cuda::make_queue<Emulation>();
  const auto zeros = [&](Index n) {
    cuda::Buffer<double, Emulation> b(queue, n);
    queue->clear(b.data(), n);
    return b;
  };
  auto x = zeros(samples * p.in.size()), y = zeros(samples * p.out().size()), dx = zeros(x.size()), w = zeros(148),
       u = zeros(samples), g = zeros(148), out = zeros(samples);
  const cuda::ConstMatrix<double> in{x.data(), samples, p.in.size()}, delta{y.data(), samples, p.out().size()};
  const cuda::At<double, Emulation> at{queue, samples, std::span(&in, 1), {}, w.data()};
  const std::size_t before = queue->bytes();
  rules.forward(at, {y.data(), samples, p.out().size()});
  const cuda::Sink<double> sink{{dx.data(), samples, p.in.size()}};
  rules.pullback(at, delta, std::span(&sink, 1));
  rules.pushforward(at, std::span(&in, 1), w.data(), {y.data(), samples, p.out().size()});
  rules.parameter_pullback(at, delta, u.data(), g.data());
  rules.per_sample_dot(at, delta, w.data(), out.data());
  rules.per_sample_squared_norm(at, delta, out.data());
  // Pieces are kept for the next who asks for as much, so what two rules asked for in other sizes is there twice.
  CHECK(queue->bytes() - before <= 2 * (room + room / 8) * sizeof(double));
}

// ----------------------------------------------------------------------------------------------------------- whole nets

namespace {

void check_net(const std::string& name, const nn::Classifier<float>& net, const ImageShape& in, Index classes) {
  auto theta = net.initialize(RandomStream(76, "nets"));
  theta.values() += random_vector(theta.size(), RandomStream(77, "off"), 0.1).cast<float>();
  for (Index n : {1, 33}) {
    const auto batch = labelled_images<float>(n, in, classes);
    NetworkInput<float> input(n);
    input.add(batch.inputs);
    input.add(batch.labels);
    check(parity_report(mts::detail::text(name, ", N = ", n), cuda::make_queue<Emulation>(), net.network(), theta,
                        input, 1e-5));
  }
}

}  // namespace

TEST_CASE("nets on a device: cnn") {
  const ImageShape grey{9, 7, 1}, coloured{8, 8, 3};
  check_net("plain", nn::cnn<float>(grey, {.classes = 4, .channels = {5, 6}, .hidden = {11}}), grey, 4);
  check_net("gelu, normed",
            nn::cnn<float>(coloured, {.classes = 5,
                                      .channels = {8, 12, 16},
                                      .hidden = {},
                                      .activation = nn::Activation::gelu,
                                      .groups = 4,
                                      .label_smoothing = 0.1}),
            coloured, 5);
  check_net("of its usual width", nn::cnn<float>(coloured, {.classes = 3, .kernel = {5, 3}, .pool = 1, .hidden = {8}}),
            coloured, 3);
}

TEST_CASE("nets on a device: resnet") {
  const ImageShape in{9, 8, 3};
  check_net("resnet", nn::resnet<float>(in, {.classes = 4, .channels = {8, 12}, .blocks = 2, .groups = 4}), in, 4);
  check_net("resnet of three stages",
            nn::resnet<float>(in, {.classes = 3, .channels = {4, 8, 8}, .groups = 2, .begin_as_shortcuts = true}), in,
            3);
}
