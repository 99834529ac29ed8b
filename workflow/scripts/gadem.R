# Runs rGADEM on a FASTA file and writes its raw results, which crmnet/motifs/gadem.py reads.
# Rscript gadem.R FASTA SITES MOTIFS [NAME=NUMBER ...]
# The names are those of the arguments of GADEM(). The others keep rGADEM's defaults.

arguments <- commandArgs(TRUE)
if (length(arguments) < 3) {
  stop("give: FASTA SITES MOTIFS [NAME=NUMBER ...]")
}
settings <- arguments[-(1:3)]
numbers <- as.list(as.numeric(sub(".*=", "", settings)))
if (anyNA(numbers)) {
  stop("settings are NAME=NUMBER, not ", paste(settings, collapse = " "))
}
names(numbers) <- sub("=.*", "", settings)

suppressPackageStartupMessages({
  library(Biostrings)
  library(rGADEM)
})

sequences <- readDNAStringSet(arguments[1])
# The name instead of the sequences keeps error messages short.
found <- do.call("GADEM", c(quote(sequences), numbers))

# Read the slots directly, because names() and some accessors of the object are wrong.
of_motif <- function(number) {
  motif <- found@motifList[[number]]
  matrix <- t(motif@pwm)
  colnames(matrix) <- c("A", "C", "G", "T")
  data.frame(motif = number, consensus = motif@consensus, sites = length(motif@alignList),
             position = seq_len(nrow(matrix)), matrix)
}
of_sites <- function(number) {
  sites <- found@motifList[[number]]@alignList
  text <- function(name) vapply(sites, function(site) slot(site, name), "")
  value <- function(name) vapply(sites, function(site) as.numeric(slot(site, name)), 0)
  data.frame(motif = number, seqID = value("seqID"), strand = text("strand"), pos = value("pos"),
             seq = text("seq"), pval = value("pval"))
}
save <- function(of, columns, path) {
  rows <- do.call(rbind, lapply(seq_along(found@motifList), of))
  # Without motifs, write only the heading.
  if (is.null(rows)) rows <- as.data.frame(matrix(nrow = 0, ncol = length(columns)))
  names(rows) <- columns
  write.table(rows, path, sep = "\t", quote = FALSE, row.names = FALSE)
}
save(of_sites, c("motif", "seqID", "strand", "pos", "seq", "pval"), arguments[2])
save(of_motif, c("motif", "consensus", "sites", "position", "A", "C", "G", "T"), arguments[3])
