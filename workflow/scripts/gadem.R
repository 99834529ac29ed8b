# Runs rGADEM on a FASTA file and writes its raw results, which crmnet/motifs/gadem.py reads.
# Rscript gadem.R FASTA SITES MOTIFS SEED MOTIFS GENERATIONS POPULATION

arguments <- commandArgs(TRUE)
if (length(arguments) != 7) {
  stop("give: FASTA SITES MOTIFS SEED MOTIFS GENERATIONS POPULATION")
}
numbers <- as.numeric(arguments[4:7])
if (anyNA(numbers)) {
  stop("seed, motifs, generations and population are numbers, not ",
       paste(arguments[4:7], collapse = " "))
}

suppressPackageStartupMessages({
  library(Biostrings)
  library(rGADEM)
})

# extTrim = 1, the default, would extend motifs into other letters that related sequences share.
found <- GADEM(readDNAStringSet(arguments[1]), seed = numbers[1], nmotifs = numbers[2],
               numGeneration = numbers[3], populationSize = numbers[4], extTrim = 0)

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
