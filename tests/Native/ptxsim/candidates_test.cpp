// The matrix products of bench/gpu-kernels that share columns of B in clusters of two blocks, and those whose consumers take turns: the same bits as the tile
// that ships, for every form, and every mistake in what ties the blocks together is found out.
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "check.h"
#include "exec/fault.h"
#include "exec/tensor_map.h"
#include "machine.h"

namespace {

constexpr int BlockM = 128, BlockK = 64;

struct Tile {
  std::string name, file;
  int blockN, stages;
  uint32_t cluster;
  // As in matmul_warpgroup.cuh: stages and their barriers, and scratch of eight warps.
  uint32_t sharedBytes() const { return static_cast<uint32_t>(stages * ((BlockM + blockN) * BlockK * 2 + 16) + 8 * 16 * 40 * 4); }
};

const Tile Wide{"wide", PTXSIM_SHIPPED, 256, 4, 1};
const Tile Pair{"pair", PTXSIM_CANDIDATES, 256, 4, 2}, Turns{"turns", PTXSIM_CANDIDATES, 128, 6, 1}, TurnsPair{"turns_pair", PTXSIM_CANDIDATES, 128, 6, 2};

struct Product {
  std::string form;  // nn, nt, tn: which operand is transposed
  int m, n, k;
  int parts = 1;     // of K
  bool isFloat = false, accumulates = false;
  uint64_t seed = 1;  // of the order of blocks and warps
  int blocks = 4;     // at most
};

// A kernel alone in its module.
std::string textOf(const Tile& tile, const std::string& form) {
  std::ifstream in(tile.file);
  std::stringstream stream;
  stream << in.rdbuf();
  std::string text = stream.str(), entry = ".visible .entry ";
  size_t begin = text.find(entry + "matmul_" + form + "_warpgroup_" + tile.name + "_bf16(");
  check::that(begin != std::string::npos, "no " + tile.name + " in " + tile.file);
  return text.substr(0, text.find(entry)) + text.substr(begin, std::min(text.find(entry, begin + 1), text.size()) - begin);
}

ptxsim::TensorMap mapOf(uint64_t address, int rows, int columns, int boxRows) {
  ptxsim::TensorMap map{};
  map.address = address;
  map.mark = ptxsim::TensorMap::Mark;
  map.columns = static_cast<uint64_t>(columns);
  map.rows = static_cast<uint64_t>(rows);
  map.rowBytes = map.columns * 2;
  map.boxColumns = 64;
  map.boxRows = static_cast<uint32_t>(boxRows);
  map.elementBytes = 2;
  map.isSwizzled = 1;
  return map;
}

struct alignas(64) Parameters {
  ptxsim::TensorMap a, b;
  uint64_t c, bias;
  int32_t m, n, k;
  int64_t strideC, partStride;
  int32_t kPerPart, parts, flags;
};

// All bytes of C, with those of its parts, after the product.
std::vector<uint8_t> run(const Tile& tile, const Product& p, const std::string& text) {
  check::Machine machine(text);
  std::mt19937 random(7);
  auto values = [&](int rows, int columns) {
    std::vector<uint16_t> bits(static_cast<size_t>(rows) * static_cast<size_t>(columns));
    // Numbers of about one, of either sign.
    for (auto& value : bits) value = static_cast<uint16_t>((random() & 0x80FF) | 0x3F00);
    return machine.upload(bits);
  };
  bool turnedA = p.form == "tn", turnedB = p.form != "nt";
  int rowsA = turnedA ? p.k : p.m, columnsA = turnedA ? p.m : p.k, rowsB = turnedB ? p.k : p.n, columnsB = turnedB ? p.n : p.k;
  Parameters x{};
  x.a = mapOf(values(rowsA, columnsA), rowsA, columnsA, turnedA ? BlockK : BlockM);
  x.b = mapOf(values(rowsB, columnsB), rowsB, columnsB, turnedB ? BlockK : tile.blockN / static_cast<int>(tile.cluster));
  x.m = p.m, x.n = p.n, x.k = p.k;
  x.kPerPart = ((p.k + p.parts - 1) / p.parts + BlockK - 1) / BlockK * BlockK;
  x.parts = p.parts;
  x.strideC = p.n;
  x.partStride = p.parts > 1 ? int64_t{p.m} * p.n : 0;
  x.flags = (p.accumulates ? 1 : 0) | (p.isFloat ? 2 : 0);
  auto elements = static_cast<size_t>(p.m) * static_cast<size_t>(p.n) * static_cast<size_t>(p.parts);
  x.c = machine.upload(std::vector<uint8_t>(elements * (p.isFloat ? 4 : 2), 0x40));
  std::vector<uint8_t> bytes(sizeof x);
  std::memcpy(bytes.data(), &x, sizeof x);
  auto cluster = static_cast<int>(tile.cluster);
  int runs = ((p.m + BlockM - 1) / BlockM + cluster - 1) / cluster * ((p.n + tile.blockN - 1) / tile.blockN) * p.parts;
  machine.cluster[0] = tile.cluster, machine.cluster[1] = machine.cluster[2] = 1;
  machine.options.seed = p.seed;
  machine.options.maxSteps = uint64_t{1} << 31;
  machine.launchBytes("matmul_" + p.form + "_warpgroup_" + tile.name + "_bf16", bytes,
                      static_cast<uint32_t>(std::min(runs, p.blocks / cluster) * cluster), 384, tile.sharedBytes());
  return machine.download<uint8_t>(x.c, elements * (p.isFloat ? 4 : 2));
}

void agrees(const Tile& tile, const Product& p) {
  static std::map<std::string, std::vector<uint8_t>> known;
  std::string name = p.form + " of " + std::to_string(p.m) + " x " + std::to_string(p.n) + " x " + std::to_string(p.k);
  auto& expected = known[name];
  if (expected.empty()) expected = run(Wide, p, textOf(Wide, p.form));
  check::that(run(tile, p, textOf(tile, p.form)) == expected, tile.name + " " + name + " has other bits");
}

void agreesEverywhere(const Tile& tile) {
  for (std::string form : {"nn", "nt", "tn"}) {
    // Whole tiles; ragged ones, more than there are blocks, of which the last run's second block has none.
    agrees(tile, {form, 256, 256, 128, 1, true});
    agrees(tile, {form, 264, 264, 200, 1, true, false, 2, 2});
  }

  // K in parts; C in bfloat16, added to.
  agrees(tile, {"nt", 136, 40, 328, 3, true, false, 3});
  agrees(tile, {"nt", 72, 40, 648, 1, false, true, 4});
}

}  // namespace

CASE(pairs_give_the_bits_of_the_tile_that_ships) { agreesEverywhere(Pair); }
CASE(turns_give_the_bits_of_the_tile_that_ships) { agreesEverywhere(Turns); }
CASE(turns_in_pairs_give_the_bits_of_the_tile_that_ships) { agreesEverywhere(TurnsPair); }

namespace {

// The text with the `number`-th line that holds `word` (from 0) changed; empty where there is none.
template <typename Change>
std::string changed(const std::string& text, const std::string& word, int number, Change change) {
  size_t at = text.find(word);
  for (; number > 0 && at != std::string::npos; number--) at = text.find(word, at + 1);
  if (at == std::string::npos) return "";
  size_t begin = text.rfind('\n', at) + 1, end = text.find('\n', at);
  return text.substr(0, begin) + change(text.substr(begin, end - begin)) + text.substr(end);
}

std::string lastOperand(const std::string& line, const std::string& value) { return line.substr(0, line.rfind(',') + 1) + " " + value + ";"; }

struct Mistake {
  std::string word, what;
  // Of the line; `number`: which of the lines with the word it is.
  std::function<std::string(const std::string& line, int number)> change;
};

const std::vector<Mistake> Mistakes = {
    {"barrier.cluster.arrive", "is left out, with its wait", nullptr},
    {"barrier.cluster.arrive", "makes nothing known", [](const std::string&, int) { return std::string("barrier.cluster.arrive.relaxed;"); }},
    {"mbarrier.arrive.release.cluster", "is left out", [](const std::string&, int) { return std::string(); }},
    {"mbarrier.arrive.release.cluster", "arrives at home", [](const std::string& line, int) { return line.substr(0, line.find("_, [")) + "_, [home];"; }},
    {"mapa.shared::cluster", "names the other block", [](const std::string& line, int number) { return lastOperand(line, number % 2 == 0 ? "1" : "0"); }},
    {".multicast::cluster", "goes to the first block", [](const std::string& line, int) { return lastOperand(line, "1"); }},
    {".multicast::cluster", "goes to the second block", [](const std::string& line, int) { return lastOperand(line, "2"); }},
    {".multicast::cluster", "goes to a third block", [](const std::string& line, int) { return lastOperand(line, "7"); }},
    {".multicast::cluster", "goes home", [](std::string line, int) {
       line.erase(line.find(".multicast::cluster"), 19);
       return line.substr(0, line.rfind(',')) + ";";
     }},
    {"%cluster_ctarank", "is always the first block", [](const std::string& line, int) { return lastOperand(line, "0"); }},
    {"mbarrier.arrive.expect_tx", "expects half", [](const std::string& line, int) { return lastOperand(line, "24576"); }},
    {"fence.mbarrier_init", "is left out", [](const std::string&, int) { return std::string(); }},
};

}  // namespace

CASE(every_mistake_between_blocks_is_found_out) {
  // A block has two tiles, and K goes around its ring of stages more than twice.
  const Product p{"nt", 136, 264, 320, 1, true, false, 1, 2};
  auto text = textOf(Pair, p.form);
  auto expected = run(Pair, p, text);
  int count = 0;
  std::string survivors;
  for (const auto& mistake : Mistakes)
    for (int number = 0;; number++) {
      auto broken = changed(text, mistake.word, number, [&](const std::string& line) { return mistake.change ? mistake.change(line, number) : std::string(); });
      if (broken.empty()) break;
      if (!mistake.change) broken = changed(broken, "barrier.cluster.wait", number, [](const std::string&) { return std::string(); });
      // An arrival's own address in place of the other block's: what mapa was given.
      size_t home = broken.find("[home]");
      if (home != std::string::npos) {
        size_t mapa = broken.rfind("remote, ", home) + 8;
        broken.replace(home, 6, "[" + broken.substr(mapa, broken.find(',', mapa) - mapa) + "]");
      }

      if (broken == text) continue;
      count++;
      bool isCaught = false;
      try {
        isCaught = run(Pair, p, broken) != expected;
      } catch (const ptxsim::KernelFault&) {
        isCaught = true;
      }

      if (!isCaught) survivors += "\n  " + mistake.word + " number " + std::to_string(number) + " " + mistake.what;
    }

  check::that(count > 20, "only " + std::to_string(count) + " mistakes");
  check::that(survivors.empty(), "not found out:" + survivors);
}

int main(int argc, char** argv) {
  if (!std::ifstream(PTXSIM_CANDIDATES)) {
    std::printf("SKIPPED: clang++-22 has not compiled bench/gpu-kernels/matmul_warpgroup_candidates.cu\n");
    return 0;
  }

  return check::run(argc, argv);
}
