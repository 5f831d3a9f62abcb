# SPDX-License-Identifier: MIT
#
# chart.gp - the picture of a run. Wants: dir, machine.

set terminal svg size 1280,640 font "sans-serif,13" background rgb "white"
set output dir."/chart.svg"
set datafile separator "\t"

set title "What the same work costs elsewhere, as a multiple of weft's cost\n".machine noenhanced
set ylabel "times weft's cost (log scale)"
set logscale y
set format y "%g"
set yrange [0.5:*]
set grid ytics lc rgb "#dddddd"
set border 3 lc rgb "#888888"
set tics nomirror
set key top right
set style fill solid 1.0 noborder
set boxwidth 0.34
set xtics font ",12" textcolor rgb "black"
set bmargin 4

data = dir."/chart.dat"
stats data using 1 nooutput
set xrange [-0.6:STATS_max + 0.6]

plot 1 with lines lw 2 lc rgb "#333333" title "weft = 1 (its figure stands below)", \
	data using ($1 - 0.18):3:xtic(2) with boxes lc rgb "#8aa0b8" title "best C or C++ peer", \
	data using ($1 + 0.18):5 with boxes lc rgb "#d98c4a" title "Go", \
	data using ($1 - 0.18):3:4 with labels offset 0,1.1 font ",10" notitle, \
	data using ($1 + 0.18):5:6 with labels offset 0,1.1 font ",10" notitle, \
	data using ($1 + 0.18):8:(0.22) with xerrorbars pt 0 lw 2 lc rgb "#b00020" title "target: the bar reaches this high", \
	data using ($1 - 0.18):7:(0.22) with xerrorbars pt 0 lw 2 lc rgb "#b00020" notitle
