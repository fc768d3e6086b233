#include "exec/decoder.h"

#include <algorithm>

#include "exec/handlers.h"
#include "exec/product_registers.h"
#include "syntax/error.h"
#include "syntax/spell.h"

namespace ptxsim {
namespace {

uint64_t alignUp(uint64_t value, uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

// One number for words that choose among a handler's cases; each handler's file says what its numbers mean.
uint8_t modeOf(const Shape& shape) {
  auto place = [&](std::initializer_list<std::string_view> words) {
    uint8_t number = 0;
    for (auto word : words) {
      if (shape.has(word)) return number;
      number++;
    }
    return uint8_t{0};
  };
  auto op = shape.form->opcode;
  if (op == "and" || op == "or" || op == "xor" || op == "not") return op == "and" ? 0 : op == "or" ? 1 : op == "xor" ? 2 : 3;
  if (op == "bfind") return shape.has(".shiftamt");
  if (op == "testp") return place({".finite", ".infinite", ".number", ".notanumber", ".normal", ".subnormal"});
  if (op == "prmt") return place({"", ".f4e", ".b4e", ".rc8", ".ecl", ".ecr", ".rc16"});
  if (op == "shfl") return place({".up", ".down", ".bfly", ".idx"});
  if (op == "vote") return place({".all", ".any", ".uni", ".ballot"});
  if (op == "match") return shape.has(".all");
  if (op == "redux" || op == "atom" || op == "red")
    return place({".add", ".min", ".max", ".and", ".or", ".xor", ".inc", ".dec", ".exch", ".cas"});
  if (op == "barrier" && shape.has(".cluster")) return shape.has(".relaxed");
  if (op == "bar" || op == "barrier")
    return shape.has(".popc") ? 1 : shape.has(".and") ? 2 : shape.has(".or") ? 3 : shape.has(".arrive") ? 4 : 0;
  if (op == "cvt") return shape.has(".rni") || shape.has(".rzi") || shape.has(".rmi") || shape.has(".rpi");
  if (op == "cp") return shape.has(".noinc");
  if (op == "mbarrier") return shape.has(".arrive_drop") ? 1 : shape.has(".expect_tx") ? 2 : 0;
  if (op == "setmaxnreg") return shape.has(".inc");
  return 0;
}

Count kindOf(const Shape& shape) {
  auto op = shape.form->opcode;
  auto is = [&](std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), op) != names.end(); };
  if (op == "mma" || (op == "wgmma" && shape.has(".mma_async"))) return Count::MmaInstructions;
  if (is({"ld", "ldu", "st", "prefetch", "prefetchu", "cp", "ldmatrix", "stmatrix"})) return Count::MemoryInstructions;
  if (is({"atom", "red"})) return Count::AtomicInstructions;
  if (is({"bar", "barrier", "membar", "fence", "mbarrier", "wgmma"})) return Count::BarrierInstructions;
  if (is({"shfl", "vote", "match", "redux", "activemask", "movmatrix"})) return Count::ExchangeInstructions;
  if (is({"bra", "brx", "ret", "exit", "call", "trap", "brkpt", "nanosleep", "pmevent", "setmaxnreg"})) return Count::ControlInstructions;
  if (op == "cvt") return Count::ConversionInstructions;
  return isFloat(shape.type()) && op != "mov" && op != "selp" ? Count::FloatInstructions : Count::IntegerInstructions;
}

template <typename T>
T choose(const Shape& shape, std::initializer_list<std::pair<std::string_view, T>> choices, T fallback) {
  for (const auto& [word, value] : choices)
    if (shape.has(word)) return value;
  return fallback;
}

// What the modifiers say, but for the operands.
void flags(Instruction& i, const Shape& shape) {
  using R = Rounding;
  using C = Compare;
  i.rounding = choose<R>(shape, {{".rz", R::Zero}, {".rzi", R::Zero}, {".rm", R::Down}, {".rmi", R::Down}, {".rp", R::Up}, {".rpi", R::Up}}, R::Nearest);
  i.compare = choose<C>(shape,
                        {{".ne", C::Ne}, {".lt", C::Lt}, {".lo", C::Lt}, {".le", C::Le}, {".ls", C::Le}, {".gt", C::Gt}, {".hi", C::Gt}, {".ge", C::Ge},
                         {".hs", C::Ge}, {".equ", C::Equ}, {".neu", C::Neu}, {".ltu", C::Ltu}, {".leu", C::Leu}, {".gtu", C::Gtu}, {".geu", C::Geu},
                         {".num", C::Num}, {".nan", C::Nan}},
                        C::Eq);
  if (shape.form->opcode == "setp")
    i.combine = choose<Combine>(shape, {{".and", Combine::And}, {".or", Combine::Or}, {".xor", Combine::Xor}}, Combine::None);
  i.ftz = shape.has(".ftz");
  i.saturate = shape.has(".sat") || shape.has(".satfinite");
  i.propagateNan = shape.has(".NaN");
  i.relu = shape.has(".relu");
  i.xorSign = shape.has(".xorsign.abs");
  i.transpose = shape.has(".trans");
  i.isVolatile = shape.has(".volatile") || shape.has(".relaxed") || shape.has(".acquire") || shape.has(".release");
  auto op = shape.form->opcode;
  // Fences of mbarrier.init and between proxies order nothing else.
  bool isNarrow = op == "fence" && (shape.has(".mbarrier_init") || shape.has(".proxy"));
  bool isFence = op == "membar" || op == "fence", arrives = op == "barrier" && shape.has(".cluster") && shape.has(".arrive") && !shape.has(".relaxed");
  i.releases = (isFence || arrives || shape.has(".release") || shape.has(".acq_rel")) && !shape.has(".cta") && !isNarrow;
  i.isClusterWide = (op == "mbarrier" || op == "cp") && shape.has(".shared::cluster");
  i.toGeneric = shape.form->opcode == "cvta" && !shape.has(".to");
  i.wrap = shape.has(".wrap");
  i.mode = modeOf(shape);
  i.kind = kindOf(shape);
  i.isUniform = shape.has(".uni");
  i.vector = shape.has(".v4") ? 4 : shape.has(".v2") ? 2 : 1;
  for (auto word : shape.words)
    if (auto space = parseSpace(word); space && word[0] == '.') {
      i.space = *space;
      if (shape.form->opcode != "cp") break;  // cp.async.shared.global: the first is where it goes
      break;
    }
}

}  // namespace

void Decoder::fail(const std::string& message) const { throw PtxError(line_, message + (current_ ? ", in '" + spell(*current_) + "'" : "")); }

void Decoder::run(const Function& entry) {
  kernel_.name = entry.name;
  kernel_.files = image_.module.files;
  std::copy(entry.maxThreads, entry.maxThreads + 3, kernel_.maxThreads);
  std::copy(entry.requiredThreads, entry.requiredThreads + 3, kernel_.requiredThreads);
  kernel_.maxRegisters = entry.maxRegisters;
  kernel_.minBlocks = entry.minBlocks;
  std::copy(entry.requiredCluster, entry.requiredCluster + 3, kernel_.requiredCluster);
  kernel_.needsCluster = entry.needsCluster;
  if (entry.maxCluster > 0) kernel_.maxCluster = entry.maxCluster;
  scopes_.emplace_back();
  declareParameters(entry);
  body(entry);
  for (auto& [place, slot] : dynamicBases_) kernel_.constants.push_back({slot, place.first, kernel_.dynamicOffset() + place.second});
  // So that the next warp's file is aligned as the first one's.
  kernel_.registerFileBytes = static_cast<uint32_t>(alignUp(kernel_.registerFileBytes, 64));
  checkProductRegisters(kernel_);
}

void Decoder::declareParameters(const Function& entry) {
  for (const auto& parameter : entry.parameters) {
    uint64_t bytes = static_cast<uint64_t>(parameter.bytes()), alignment = static_cast<uint64_t>(parameter.alignment());
    uint64_t offset = alignUp(kernel_.parameterBytes, alignment);
    if (offset + bytes > 4096 * 8) throw PtxError(parameter.line, "the parameters of '" + entry.name + "' exceed what a launch can pass");
    kernel_.parameters.push_back({static_cast<uint32_t>(offset), static_cast<uint32_t>(bytes), static_cast<uint32_t>(alignment)});
    scopes_.back()[parameter.name] = {Symbol::Kind::Parameter, parameter.type, offset};
    kernel_.parameterBytes = static_cast<uint32_t>(offset + bytes);
  }
}

void Decoder::body(const Function& function) {
  if (frames_.size() >= MaxCallDepth) fail("calls are nested deeper than " + std::to_string(MaxCallDepth));
  for (const auto& frame : frames_)
    if (frame.function == &function) fail("'" + function.name + "' calls itself, and recursion is not modelled");
  frames_.emplace_back().function = &function;
  block(function.body);
  // Whoever falls off the end returns.
  static const Statement Return = [] {
    Statement statement;
    statement.text = "ret";
    return statement;
  }();
  instruction(Return);
  resolve(frames_.back());
  frames_.pop_back();
}

void Decoder::resolve(const Frame& frame) {
  auto place = [&](uint32_t at, const std::string& label) {
    auto found = frame.labels.find(label);
    if (found != frame.labels.end()) return found->second;
    throw PtxError(kernel_.code[at].line, "there is no label '" + label + "' in '" + frame.function->name + "'");
  };
  for (const auto& [at, label] : frame.branches) kernel_.code[at].target = place(at, label);
  for (const auto& [at, list] : frame.tables) {
    auto found = frame.branchTargets.find(list);
    if (found == frame.branchTargets.end())
      throw PtxError(kernel_.code[at].line, "there are no .branchtargets '" + list + "' in '" + frame.function->name + "'");
    kernel_.code[at].target = static_cast<uint32_t>(kernel_.tables.size());
    auto& table = kernel_.tables.emplace_back();
    for (const auto& label : found->second) table.push_back(place(at, label));
  }

  // Inside an inlined function ret goes to whatever follows the call.
  if (frames_.size() > 1)
    for (uint32_t at : frame.returns) kernel_.code[at].target = static_cast<uint32_t>(kernel_.code.size());
}

void Decoder::block(const Block& block) {
  scopes_.emplace_back();
  for (const auto& statement : block.statements) {
    line_ = statement.line;
    switch (statement.kind) {
      case Statement::Kind::Block: this->block(*statement.block); break;
      case Statement::Kind::Declaration:
        for (const auto& variable : statement.variables) declare(variable);
        break;
      case Statement::Kind::Label:
        if (!frames_.back().labels.emplace(statement.text, static_cast<uint32_t>(kernel_.code.size())).second)
          fail("label '" + statement.text + "' stands twice");
        break;
      case Statement::Kind::BranchTargets: frames_.back().branchTargets[statement.text] = statement.targets; break;
      case Statement::Kind::Location:
        file_ = statement.file;
        sourceLine_ = statement.sourceLine;
        break;
      case Statement::Kind::Instruction: instruction(statement); break;
    }
  }

  scopes_.pop_back();
}

void Decoder::declare(const Variable& variable) {
  current_ = nullptr;
  line_ = variable.line;
  auto& scope = scopes_.back();
  uint64_t bytes = static_cast<uint64_t>(variable.bytes()), alignment = static_cast<uint64_t>(std::max(1, variable.alignment()));
  Symbol symbol{Symbol::Kind::Register, variable.type};
  switch (variable.space) {
    case Space::Reg:
      if (variable.vector != 1 || variable.isArray) fail("vectors and arrays of registers are not modelled: '" + variable.name + "'");
      if (variable.copies >= 0) symbol = {Symbol::Kind::Family, variable.type, static_cast<uint64_t>(variable.copies)};
      else symbol.value = allocate(classOf(variable.type));
      break;
    case Space::Shared:
      kernel_.sharedBytes = static_cast<uint32_t>(alignUp(kernel_.sharedBytes, alignment));
      symbol = {Symbol::Kind::Shared, variable.type, kernel_.sharedBytes};
      if (bytes > (1 << 20)) fail("'" + variable.name + "' is larger than any shared memory");
      kernel_.sharedBytes += static_cast<uint32_t>(bytes);
      break;
    default:
      // Parameters of calls are memory of the calling thread.
      if (bytes > (1 << 24)) fail("'" + variable.name + "' is larger than any local memory");
      kernel_.localBytes = static_cast<uint32_t>(alignUp(kernel_.localBytes, std::max<uint64_t>(alignment, 8)));
      symbol = {variable.space == Space::Local ? Symbol::Kind::Local : Symbol::Kind::CallParameter, variable.type, kernel_.localBytes};
      kernel_.localBytes += static_cast<uint32_t>(bytes);
      break;
  }

  if (!scope.emplace(variable.name, symbol).second) fail("'" + variable.name + "' is declared twice in one block");
}

const std::vector<KnownForm>& Decoder::formsOf(const std::string& text) {
  auto found = known_.find(text);
  if (found != known_.end()) return found->second;
  std::vector<KnownForm> forms;
  for (auto& shape : shapesOf(text, image_.module.version, image_.module.target, line_)) {
    Instruction prototype;
    std::fill(std::begin(prototype.at), std::end(prototype.at), NoSlot);
    prototype.form = shape.form;
    prototype.type = shape.type();
    prototype.second = shape.second();
    flags(prototype, shape);
    prototype.run = handlerOf(shape);
    forms.push_back({std::move(shape), prototype});
  }

  return known_.emplace(text, std::move(forms)).first->second;
}

Instruction Decoder::begin(const Statement& statement, const KnownForm& form) {
  Instruction result = form.prototype;
  result.line = line_;
  result.file = file_;
  result.sourceLine = sourceLine_;
  if (!statement.predicate.empty()) {
    Operand guard;
    guard.name = statement.predicate;
    result.predicate = predicate(guard, false);
    result.isPredicateNegated = statement.isPredicateNegated;
  }

  return result;
}

void Decoder::append(const Instruction& instruction) {
  if (kernel_.code.size() >= MaxInstructions) fail("the kernel, its calls inlined, has more than " + std::to_string(MaxInstructions) + " instructions");
  kernel_.code.push_back(instruction);
  if (instruction.kind == Count::MemoryInstructions) {
    kernel_.code.back().pattern = kernel_.patterns;
    kernel_.patterns += instruction.form->opcode == "cp" ? 2 : 1;
  }

  kernel_.hasDeviceFences |= instruction.releases;
  auto opcode = instruction.form->opcode, modifiers = instruction.form->modifiers;
  // The destination of a bulk copy is spelled shared::cluster where it is the block's own, too.
  kernel_.usesClusters |= opcode == "mapa" || (opcode == "mbarrier" && instruction.isClusterWide) || (opcode == "barrier" && modifiers.starts_with(".cluster")) ||
                          modifiers.ends_with(".multicast::cluster");
  kernel_.usesProxies |= kernel_.usesClusters || instruction.isClusterWide || opcode == "wgmma";
  if (opcode == "setmaxnreg") kernel_.setRegisters = std::max(kernel_.setRegisters, static_cast<int>(instruction.immediate));
  kernel_.mayWaitForBlocks |= instruction.form->opcode == "atom" || (instruction.form->opcode == "ld" && instruction.isVolatile);
  kernel_.code.back().statement = current_;
}

void Decoder::instruction(const Statement& statement) {
  current_ = &statement;
  const auto& forms = formsOf(statement.text);
  // Forms that differ in their operands alone: mov with braces on either side. The last one reports what is wrong with it.
  const KnownForm* form = &forms.back();
  for (const auto& candidate : forms)
    if (fits(statement, candidate.shape)) {
      form = &candidate;
      break;
    }

  auto opcode = form->shape.form->opcode;
  if (opcode == "call") {
    call(statement, *form);
    return;
  }

  auto result = begin(statement, *form);
  operands(result, statement, form->shape);
  auto at = static_cast<uint32_t>(kernel_.code.size());
  if (opcode == "bra") frames_.back().branches.emplace_back(at, statement.operands[0].name);
  if (opcode == "brx") frames_.back().tables.emplace_back(at, statement.operands[1].name);
  // cvt between registers wider than its types: the general form looks at each register's width.
  bool isWiderTo = (result.wide & 1) != (sizeOf(result.type) == 8), isWiderFrom = (result.wide >> 1 & 1) != (sizeOf(result.second) == 8);
  if (opcode == "cvt" && result.count == 2 && (isWiderTo || isWiderFrom)) result.run = generalConversion();
  if (opcode == "ret" && frames_.size() > 1) {
    // A jump to the end of the inlined body.
    result.run = formsOf("bra")[0].prototype.run;
    frames_.back().returns.push_back(at);
  }

  append(result);
}

}  // namespace ptxsim
