using RepNoise.Host.Data;
using RepNoise.Host.Training;

namespace RepNoise.Host.Tests.Data;

/// <summary>One term of a mean cross-entropy: the logits of pair b at position p predict a target.</summary>
internal readonly record struct OracleTerm(int Pair, int Position, int Target);

/// <summary>The published loss's formulas over padded arrays [B, T], written as plainly as they stand there and sharing nothing with the
/// packer.</summary>
internal sealed class PaddedOracle
{
    public PaddedOracle(IReadOnlyList<TokenPair> pairs, PackingOptions options, int length)
    {
        (H, S) = (Pad(pairs, p => p.Harmful, options.PadId, length), Pad(pairs, p => p.Harmless, options.PadId, length));
        HLength = pairs.Select(p => p.Harmful.Length).ToArray();
        SLength = pairs.Select(p => p.Harmless.Length).ToArray();
        bool kept = options.FirstToken == FirstToken.Kept;
        for (int b = 0; b < pairs.Count; b++)
        {
            for (int p = 0; p < length; p++)
            {
                bool m = H[b][p] != S[b][p];
                if (m || !options.Mask)
                    Mmd.Add((p, b));
                if (p + 1 == length)
                    continue;
                bool next = H[b][p + 1] != S[b][p + 1];
                Collect(AscentLens, ref LensConstants, b, p, H[b][p + 1], next, m || kept);
                Collect(AscentFinal, ref AscentConstants, b, p, H[b][p + 1], next || !options.Mask, m || kept || !options.Mask);
                Collect(Stability, ref StabilityConstants, b, p, S[b][p + 1], next || !options.Mask, m || kept || !options.Mask);
            }
        }
        Mmd.Sort();
    }

    public int[][] H { get; }

    public int[][] S { get; }

    public int[] HLength { get; }

    public int[] SLength { get; }

    public List<OracleTerm> Stability { get; } = [];

    public List<OracleTerm> AscentFinal { get; } = [];

    public List<OracleTerm> AscentLens { get; } = [];

    public List<(int Position, int Pair)> Mmd { get; } = [];

    public int StabilityConstants;
    public int AscentConstants;
    public int LensConstants;

    /// <summary>What a query at p sees under causal attention with a key mask: (position, id) of each visible key.</summary>
    public static (int, int)[] Visible(int[] ids, int realLength, int position) =>
        Enumerable.Range(0, realLength).Where(j => j <= position).Select(j => (j, ids[j])).ToArray();

    private static void Collect(List<OracleTerm> terms, ref int constants, int b, int p, int target, bool targetMask, bool positionMask)
    {
        if (!targetMask || target == 0)
            return;
        if (positionMask)
            terms.Add(new OracleTerm(b, p, target));
        else
            constants++;
    }

    private static int[][] Pad(IReadOnlyList<TokenPair> pairs, Func<TokenPair, int[]> ids, int pad, int length) =>
        pairs.Select(p => ids(p).Concat(Enumerable.Repeat(pad, length - ids(p).Length)).ToArray()).ToArray();
}
