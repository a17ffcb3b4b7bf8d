#include "report/picture.hpp"

#include <fmt/format.h>

namespace bench {

std::string picture_script(const Results& r) {
  const auto sizes = r.names("step", "sweep/mlp/");
  if (sizes.empty()) return {};
  std::string script = "# gnuplot overhead.gp\n$ours << END\n";
  for (const auto& name : sizes) {
    const auto v = [&](const char* counter) { return *r.value("step", name, counter); };
    script += fmt::format("{} {:.4g} {:.4g} {:.4g} {:.4g} {:.4g}\n", v("samples"), v("ratio"), v("floor_ratio"),
                          v("plain_us_per_sample"), v("mts_us_per_sample"), v("recomputed_us_per_sample"));
  }
  script += "END\n$torch << END\n";
  bool peer = false;
  for (const int n : {128, 1024, 4096})
    if (const auto x = r.value("peer_tuned", fmt::format("peer/tuned malloc/mlp/{}", n), "torch_overhead")) {
      script += fmt::format("{} {:.4g}\n", n, *x);
      peer = true;
    }
  script += "END\n";
  // Okabe and Ito's colours, as in the lab's pictures.
  script += R"(set border 3 lc rgb '#555555'
set tics nomirror out scale 0.6 textcolor rgb '#222222'
set grid ytics lc rgb '#e4e4e4' lt 1 lw 0.7
set logscale x 2
set xrange [50:90000]
set xtics (64, 256, 1024, 4096, 16384, 65536)
set xlabel 'training batch N (784-256-256-10, M = 256, one thread)' offset 0,0.3
set key top right samplen 2.2 spacing 1.15
picture = "set multiplot layout 1,2 margins screen 0.06,0.985,0.135,0.9 spacing screen 0.07,0.1; \
set title 'overhead: step with selection / plain step' offset 0,-0.5; set yrange [0:9]; \
)";
  script +=
      "plot $ours using 1:3 with lines lw 1.6 dt 2 lc rgb '#000000' title 'floor, in flops', "
      "$ours using 1:2 with linespoints lw 1.8 pt 7 ps 0.7 lc rgb '#0072B2' title 'mts, measured'";
  if (peer)
    script += ", $torch using 1:2 with points pt 5 ps 0.9 lc rgb '#D55E00' title 'LibTorch, central differences'";
  script += R"(; \
set title 'microseconds a sample' offset 0,-0.5; set yrange [0:*]; \
plot $ours using 1:6 with linespoints lw 1.6 pt 7 ps 0.6 lc rgb '#CC79A7' title 'with selection, recomputed', \
$ours using 1:5 with linespoints lw 1.8 pt 7 ps 0.7 lc rgb '#0072B2' title 'with selection, kept', \
$ours using 1:4 with linespoints lw 1.6 pt 7 ps 0.6 lc rgb '#009E73' title 'plain'; \
unset multiplot"
set terminal svg size 1100,440 dynamic enhanced background '#ffffff' font 'Helvetica,Arial,sans-serif,14'
set output 'overhead.svg'
eval picture
set terminal pngcairo size 1650,660 enhanced background '#ffffff' font 'Sans,10' fontscale 1.5 linewidth 1.5
set output 'overhead.png'
eval picture
)";
  return script;
}

}  // namespace bench
