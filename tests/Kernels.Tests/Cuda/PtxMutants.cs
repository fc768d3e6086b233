using System.Text.RegularExpressions;

namespace RepNoise.Kernels.Tests;

/// <summary>A kernel with one mistake in it.</summary>
/// <param name="Mistake">What was done to which instruction.</param>
/// <param name="Ptx">A module with that kernel alone.</param>
internal sealed record PtxMutant(string Mistake, string Ptx);

/// <summary>
/// Broken twins of a kernel, made from the text that ships: every barrier and every wait left out by itself, and of every
/// instruction that native/cuda/include/device.cuh and device_sm90.cuh wrap a form with the operands the wrong way round, or another instruction.
/// </summary>
internal static partial class PtxMutants
{
    /// <summary>Orders or completes something: left out one by one.</summary>
    private static readonly string[] Orders =
    [
        "bar.sync", "bar.warp.sync", "cp.async.wait_group", "cp.async.commit_group", "mbarrier.try_wait", "mbarrier.arrive.shared", "mbarrier.arrive.expect_tx",
        "fence.mbarrier_init", "wgmma.fence", "wgmma.commit_group", "wgmma.wait_group", "setmaxnreg.dec",
    ];

    /// <summary>Instruction, what is wrong then, and how: all of a kernel's are changed together.</summary>
    private static readonly (string Opcode, string Mistake, Func<string, string> Change)[] Changes =
    [
        ("cp.async.cg.shared.global", "copies nothing", line => CopiedBytes().Replace(line, "$1, 0;")),
        ("ldmatrix.sync.aligned.m8n8.x4.trans.", ".trans dropped", line => line.Replace(".trans", "", StringComparison.Ordinal)),
        ("ldmatrix.sync.aligned.m8n8.x4.shared.", ".trans added", line => line.Replace(".x4.shared", ".x4.trans.shared", StringComparison.Ordinal)),
        ("ldmatrix.", "matrices 1 and 2 swapped", line => Swap(line, 0, 1, 2)),
        ("cp.async.bulk.tensor", "coordinates swapped", line => Swap(line, 0, 0, 1)),
        ("mbarrier.init", "counts for nine", line => LastOperand().Replace(line, " 9;")),
        ("mbarrier.arrive.expect_tx", "expects too little", line => LastOperand().Replace(line, " 4096;")),
        ("mbarrier.arrive.expect_tx", "expects too much", line => LastOperand().Replace(line, " 131072;")),
        ("wgmma.mma_async", "registers of D swapped", line => Swap(line, 0, 0, 1)),
        ("wgmma.mma_async", "A and B swapped", line => Descriptors().Replace(line, "}, $2, $1, p")),
        ("wgmma.mma_async", "overwrites D", line => line.Replace(", p, ", ", !p, ", StringComparison.Ordinal)),
        ("wgmma.mma_async", "A negated", line => line.Replace(", p, 1,", ", p, -1,", StringComparison.Ordinal)),
        ("wgmma.mma_async", "A turned", line => Transposes().Replace(line, match => $", {Turned(match.Groups[1])}, {match.Groups[2].Value};")),
        ("wgmma.mma_async", "B turned", line => Transposes().Replace(line, match => $", {match.Groups[1].Value}, {Turned(match.Groups[2])};")),
        ("wgmma.wait_group", "waits for all but seven", line => LastOperand().Replace(line, " 7;")),
        ("setmaxnreg.inc", "asks for more than there is", line => LastOperand().Replace(line, " 256;")),
        ("mma.", "rows of A swapped", line => Swap(line, 1, 0, 1)),
        ("mma.", "halves of B swapped", line => Swap(line, 2, 0, 1)),
        ("cvt.rn.bf16x2.f32", "halves swapped", line => TwoSources().Replace(line, "$1, $3, $2;")),
        ("cvt.rn.bf16.f32", "rounded towards zero", line => line.Replace(".rn.", ".rz.", StringComparison.Ordinal)),
        ("cvt.rna.tf32.f32", "not rounded", line => line.Replace("cvt.rna.tf32.f32", "mov.b32", StringComparison.Ordinal)),
        ("shfl.sync.bfly.b32", "lanes do not meet", line => ShuffleMask().Replace(line, "$1, 0, 31,")),
        ("shfl.sync.idx.b32", "from the lane after", line => ShuffleMask().Replace(line, "$1, 1, 31,")),
        ("vote.sync.ballot.b32", "predicate negated", line => VotePredicate().Replace(line, "$1, !$2,")),
        ("brev.b32", "bits not reversed", line => line.Replace("brev", "mov", StringComparison.Ordinal)),
        ("clz.b32", "counts ones", line => line.Replace("clz", "popc", StringComparison.Ordinal)),
        ("ld.shared.v4.b32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("st.shared.v4.b32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("st.shared.v2.f32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("ld.shared.f32", "reads zero", line => LoadedWord().Replace(line, "mov.b32 $1, 0;")),
        ("st.shared.f32", "left out", _ => ""),
        ("st.shared.b32", "left out", _ => ""),
        ("st.shared.b16", "left out", _ => ""),
        ("ld.global.v4.b32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("ld.global.nc.v4.b32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("st.global.v4.b32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("ld.global.v2.b32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("st.global.v2.b32", "words swapped", line => Swap(line, 0, 0, 1)),
        ("fma.rn.f32", "adds nothing", line => ThreeSources().Replace(line.Replace("fma", "mul", StringComparison.Ordinal), "$1, $2, $3;")),
        ("fma.rn.f64", "adds nothing", line => ThreeSources().Replace(line.Replace("fma", "mul", StringComparison.Ordinal), "$1, $2, $3;")),
        ("mul.rn.f32", "adds instead", line => line.Replace("mul", "add", StringComparison.Ordinal)),
        ("add.rn.f32", "multiplies instead", line => line.Replace("add", "mul", StringComparison.Ordinal)),
        ("sub.rn.f32", "adds instead", line => line.Replace("sub", "add", StringComparison.Ordinal)),
        ("div.rn.f32", "divides the other way round", line => TwoSources().Replace(line, "$1, $3, $2;")),
        ("sqrt.rn.f32", "takes no root", line => line.Replace("sqrt.rn.f32", "mov.b32", StringComparison.Ordinal)),
        ("sqrt.rn.f64", "takes no root", line => line.Replace("sqrt.rn.f64", "mov.b64", StringComparison.Ordinal)),
        ("ex2.approx.ftz.f32", "logarithm instead", line => line.Replace("ex2", "lg2", StringComparison.Ordinal)),
        ("lg2.approx.ftz.f32", "power instead", line => line.Replace("lg2", "ex2", StringComparison.Ordinal)),
        ("rcp.rn.f32", "takes no reciprocal", line => line.Replace("rcp.rn.f32", "mov.b32", StringComparison.Ordinal)),
    ];

    /// <summary>True where some mutant breaks an instruction.</summary>
    public static bool Breaks(string opcode) =>
        Orders.Concat(Changes.Select(change => change.Opcode)).Any(known => opcode.StartsWith(known, StringComparison.Ordinal) || known.StartsWith(opcode + ".", StringComparison.Ordinal));

    /// <summary>One kernel of a module as a module of its own.</summary>
    public static string Extract(string module, string symbol)
    {
        var entries = Entry().Matches(module);
        var wanted = entries.First(entry => entry.Groups["name"].Value == symbol);
        return string.Concat(entries.Prepend(null).Zip(entries.Append(null), (before, after) =>
            module[(before is null ? 0 : before.Index + before.Length)..(after?.Index ?? module.Length)]).Append(wanted.Value));
    }

    /// <summary>Every mutant of a kernel.</summary>
    /// <param name="ptx">From <see cref="Extract"/>.</param>
    public static IEnumerable<PtxMutant> Of(string ptx)
    {
        string[] lines = ptx.Split('\n');
        foreach (string order in Orders)
        {
            int number = 0;
            for (int i = 0; i < lines.Length; i++)
            {
                if (!Is(lines[i], order)) continue;
                // A wait that is left out has come to its end.
                string instead = Wait().Replace(lines[i], "setp.eq.b32 $1, 0, 0;");
                bool isWait = instead != lines[i];
                yield return new PtxMutant($"{order} number {++number} left out", With(lines, index => isWait || index != i, (line, index) => isWait && index == i ? instead : line));
            }
        }

        foreach (var (opcode, mistake, change) in Changes)
        {
            if (lines.Any(line => Is(line, opcode))) yield return new PtxMutant($"{opcode}: {mistake}", With(lines, _ => true, (line, _) => Is(line, opcode) ? change(line) : line));
        }
    }

    private static string Turned(Group transpose) => transpose.Value == "0" ? "1" : "0";

    private static bool Is(string line, string opcode) => line.AsSpan().TrimStart().StartsWith(opcode, StringComparison.Ordinal);

    private static string With(string[] lines, Func<int, bool> keep, Func<string, int, string> change) =>
        string.Join('\n', lines.Select(change).Where((_, i) => keep(i)));

    /// <summary>Exchanges two registers of one of an instruction's lists in braces.</summary>
    private static string Swap(string line, int list, int first, int second)
    {
        var found = RegisterList().Matches(line)[list];
        string[] registers = found.Groups[1].Value.Split(", ");
        (registers[first], registers[second]) = (registers[second], registers[first]);
        return line[..found.Index] + "{" + string.Join(", ", registers) + "}" + line[(found.Index + found.Length)..];
    }

    [GeneratedRegex(@"\.visible \.entry (?<name>\w+)\(.*?\n\}\n", RegexOptions.Singleline)]
    private static partial Regex Entry();

    [GeneratedRegex(@"\{([^}]*)\}")]
    private static partial Regex RegisterList();

    [GeneratedRegex(@"mbarrier\.try_wait\S+ (\w+),.*;")]
    private static partial Regex Wait();

    [GeneratedRegex(@" [^, ]+;")]
    private static partial Regex LastOperand();

    [GeneratedRegex(@"\}, (%\w+), (%\w+), p")]
    private static partial Regex Descriptors();

    [GeneratedRegex(@", ([01]), ([01]);")]
    private static partial Regex Transposes();

    [GeneratedRegex(@"(cp\.async.*, 16), [^,]+;")]
    private static partial Regex CopiedBytes();

    [GeneratedRegex(@"(\S+\s+%\S+), ([^,]+), ([^,;]+);")]
    private static partial Regex TwoSources();

    [GeneratedRegex(@"(\S+\s+%\S+), ([^,]+), ([^,]+), ([^,;]+);")]
    private static partial Regex ThreeSources();

    [GeneratedRegex(@"ld\.shared\.f32\s+(%\S+),.*;")]
    private static partial Regex LoadedWord();

    [GeneratedRegex(@"(shfl\S+\s+%\S+, %[^,]+), [^,]+, 31,")]
    private static partial Regex ShuffleMask();

    [GeneratedRegex(@"(vote\S+\s+%\S+), (\S+),")]
    private static partial Regex VotePredicate();
}
