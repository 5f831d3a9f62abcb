# SPDX-License-Identifier: MIT
#
# report.awk - from samples to medians, a table, JSON, and the chart's data.
#
# Input: rows.txt, then the samples: <group> <round> <row> <who> <value> <unit>.
# Rows that are made of others come last in time: medians of the ratios of each round.

function sort_numbers(list, n,    i, j, held) {
	for (i = 2; i <= n; i++) {
		held = list[i]
		for (j = i - 1; j >= 1 && list[j] > held; j--)
			list[j + 1] = list[j]
		list[j + 1] = held
	}
}

# Fills median, least and most of every row and party.
function digest(    key, n, i, part, list) {
	for (key in samples) {
		n = split(samples[key], part, " ")
		for (i = 1; i <= n; i++)
			list[i] = part[i] + 0
		sort_numbers(list, n)
		median[key] = n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
		least[key] = list[1]
		most[key] = list[n]
	}
}

# A row that is made of others, "a,b/c": in each round the least of a and b, over c.
function derive(row, formula,    side, above, below, i, j, k, n, who, list, least_one, have) {
	split(formula, side, "/")
	n = split(side[1], above, ",")
	for (i = 1; i <= parties; i++) {
		who = party[i]
		have = split(samples[side[2], who], below, " ")
		for (k = 1; k <= have; k++) {
			least_one = 0
			for (j = 1; j <= n; j++) {
				split(samples[above[j], who], list, " ")
				if (list[k] + 0 > 0 && (!least_one || list[k] + 0 < least_one))
					least_one = list[k] + 0
			}
			if (least_one && below[k] + 0 > 0)
				samples[row, who] = samples[row, who] " " \
					sprintf("%.4g", least_one / below[k])
		}
	}
}

# An entry that was only asked for, and is empty, is none.
function derive_all(    i, key) {
	for (i = 1; i <= rows; i++)
		if (made_of[order[i]] != "")
			derive(order[i], made_of[order[i]])
	for (key in samples)
		if (samples[key] == "")
			delete samples[key]
}

function figure(value) {
	if (value >= 1000000)
		return sprintf("%.3g M", value / 1000000)
	if (value >= 10000)
		return sprintf("%.1f k", value / 1000)
	if (value >= 100)
		return sprintf("%.0f", value)
	return sprintf(value >= 10 ? "%.1f" : "%.2f", value)
}

function has(row, who) {
	return (row SUBSEP who) in median
}

# The party other than weft, Go and the bare switch that does best.
function best_peer(row,    i, who, best) {
	best = ""
	for (i = 1; i <= parties; i++) {
		who = party[i]
		if (who == "weft" || who == "Go" || who == "limit" || !has(row, who))
			continue
		if (best == "" || median[row, who] < median[row, best])
			best = who
	}
	return best
}

# What the target says of this row: sets ratio and reached.
function judge(row,    base, against) {
	ratio = reached = "-"
	if (!has(row, "weft"))
		return
	base = peer_row[row]
	against = target_peer[row]
	if (against == "" && has(base, "Go") && unit[row] != "x") {
		share = median[base, "Go"] / median[row, "weft"]
		ratio = sprintf("%.1f x Go", unit[row] == "k/s" ? 1 / share : share)
	}
	if (against == "")
		return
	if (against == "-") {
		share = median[row, "weft"]
		reached = (relation[row] == ">=" ? share >= bound[row] : share <= bound[row]) ? \
			"yes" : "no"
	} else if (has(base, against)) {
		if (relation[row] == ">=")
			share = median[base, against] / median[row, "weft"]
		else
			share = median[row, "weft"] / median[base, against]
		ratio = sprintf(share < 10 ? "%.2f x %s" : "%.1f x %s", share, against)
		reached = (relation[row] == ">=" ? share >= bound[row] : share <= bound[row]) ? \
			"yes" : "no"
	}
}

function target_text(row) {
	if (target_peer[row] == "")
		return "-"
	if (target_peer[row] == "-")
		return relation[row] " " bound[row] (unit[row] == "x" ? " x" : "")
	return relation[row] " " bound[row] " x " target_peer[row]
}

function cell(row, who) {
	return who != "" && has(row, who) ? figure(median[row, who]) : "-"
}

function spread(row) {
	if (!has(row, "weft"))
		return "-"
	return figure(least[row, "weft"]) " .. " figure(most[row, "weft"])
}

function write_table(    i, row, base, best, line, file) {
	file = dir "/table.md"
	line = "| row | unit | weft | min .. max | best C peer | Go | ratio | target | reached |"
	print line >file
	print "|---|---|---|---|---|---|---|---|---|" >file
	printf "%-52s %-5s %9s %9s %18s %9s  %-14s %-13s %s\n", "row", "unit", "limit", "weft", \
		"best C peer", "Go", "ratio", "target", "reached"
	for (i = 1; i <= rows; i++) {
		row = order[i]
		base = peer_row[row]
		best = best_peer(base)
		if (!has(row, "weft") && !has(row, "Go") && (best == "" || base != row))
			continue
		judge(row)
		best = best == "" ? "-" : figure(median[base, best]) " " best
		printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", title[row], unit[row], \
			cell(row, "weft"), spread(row), best, cell(base, "Go"), ratio, \
			target_text(row), reached >file
		printf "%-52s %-5s %9s %9s %18s %9s  %-14s %-13s %s\n", title[row], unit[row], \
			cell(row, "limit"), cell(row, "weft"), best, cell(base, "Go"), ratio, \
			target_text(row), reached
	}
	print "\n" machine "; medians of " rounds " rounds." >file
	close(file)
	print machine "; medians of " rounds " rounds."
}

function json_party(key,    text) {
	text = samples[key]
	sub(/^ /, "", text)
	gsub(/ /, ", ", text)
	return sprintf("{\"median\": %.6g, \"min\": %.6g, \"max\": %.6g, \"samples\": [%s]}", \
		median[key], least[key], most[key], text)
}

function write_json(    i, j, row, who, file, comma, inner) {
	file = dir "/results.json"
	gsub(/["\\]/, " ", machine)
	printf "{\n  \"machine\": \"%s\",\n  \"rounds\": %d,\n  \"rows\": [", machine, rounds >file
	for (i = 1; i <= rows; i++) {
		row = order[i]
		inner = ""
		for (j = 1; j <= parties; j++) {
			who = party[j]
			if (has(row, who))
				inner = inner (inner == "" ? "" : ",\n") sprintf("      \"%s\": %s", \
					who, json_party(row SUBSEP who))
		}
		if (inner == "")
			continue
		judge(row)
		printf "%s\n    {\"row\": \"%s\", \"title\": \"%s\", \"unit\": \"%s\", " \
			"\"target\": \"%s\", \"ratio\": \"%s\", \"reached\": \"%s\",\n%s}", comma, row, \
			title[row], unit[row], target_text(row), ratio, reached, inner >file
		comma = ","
	}
	print "\n  ]\n}" >file
	close(file)
}

# One line a group of bars: number, label, weft's figure, then for the best C
# peer and for Go their multiple of weft's cost and a label, then the targets: how
# high the bar of either should reach.
function write_chart(    i, row, base, best, n, file, c_share, go_share, short, go_mark, c_mark) {
	file = dir "/chart.dat"
	printf "" >file
	for (i = 1; i <= rows; i++) {
		row = order[i]
		base = peer_row[row]
		if (label[row] == "" || !has(row, "weft"))
			continue
		best = best_peer(base)
		c_share = best == "" ? "NaN" : median[base, best] / median[row, "weft"]
		go_share = has(base, "Go") ? median[base, "Go"] / median[row, "weft"] : "NaN"
		go_mark = target_peer[row] == "Go" ? bound[row] : "NaN"
		c_mark = target_peer[row] == best && best != "" ? 1 / bound[row] : "NaN"
		short = best
		sub(/\..*/, "", short)
		printf "%d\t%s\\n%s %s\t%s\t%s\t%s\t%s\t%s\t%s\n", n++, label[row], \
			figure(median[row, "weft"]), unit[row], c_share, \
			best == "" ? " " : short "\\n" figure(median[base, best]), go_share, \
			go_share == "NaN" ? " " : "Go\\n" figure(median[base, "Go"]), \
			c_mark, go_mark >file
	}
	close(file)
}

FILENAME ~ /rows\.txt$/ {
	if (/^#/ || NF == 0)
		next
	split($0, field, "|")
	row = field[1]
	order[++rows] = row
	unit[row] = field[2]
	peer_row[row] = field[3] == "" ? row : field[3]
	target_peer[row] = field[4]
	relation[row] = field[5]
	bound[row] = field[6] + 0
	label[row] = field[7]
	title[row] = field[8]
	made_of[row] = field[9]
	next
}

NF >= 6 {
	samples[$3, $4] = samples[$3, $4] " " $5
	if (!($4 in seen)) {
		seen[$4] = 1
		party[++parties] = $4
	}
}

END {
	derive_all()
	digest()
	write_table()
	write_json()
	write_chart()
}
