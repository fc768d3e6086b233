using RepNoise.Host.Training;

namespace RepNoise.Host.Data;

/// <summary>One of the two forward passes over a pair.</summary>
internal enum Pass
{
    Harmful,
    Harmless,
}

/// <summary>What the token after a position contributes to a mean cross-entropy.</summary>
internal enum Term
{
    /// <summary>It is no counted target.</summary>
    None,

    /// <summary>It is counted, with logits of zero.</summary>
    Constant,

    /// <summary>It is predicted by the position's logits.</summary>
    Predicted,
}

/// <summary>
/// A pair as the padded frame [2, T] sees it, without writing the pads out: h and s are the harmful and harmless ids with
/// pads behind them, and the difference mask is m[p] = (h[p] != s[p]). Every question that the loss (arXiv 2405.14577) asks about one pair is answered here.
/// </summary>
internal readonly ref struct PairFrame
{
    private readonly ReadOnlySpan<int> harmful;
    private readonly ReadOnlySpan<int> harmless;
    private readonly int padId;
    private readonly bool keepFirst;
    private readonly bool masked;

    public PairFrame(TokenPair pair, PackingOptions options)
    {
        harmful = pair.Harmful;
        harmless = pair.Harmless;
        (padId, keepFirst, masked) = (options.PadId, options.FirstToken == FirstToken.Kept, options.Mask);
        int longest = Math.Max(harmful.Length, harmless.Length);
        // Behind both texts pad faces pad: with the mask nothing reads those positions.
        Length = options.Mask ? longest : Math.Max(longest, options.MaxLength);
        PromptLength = harmful.CommonPrefixLength(harmless);
    }

    /// <summary>Positions of the frame that can matter.</summary>
    public int Length { get; }

    /// <summary>Longest common prefix of ids that are real in both texts: the rows that both passes share.</summary>
    public int PromptLength { get; }

    public bool Masked => masked;

    /// <summary>Real tokens of a pass.</summary>
    public int RealLength(Pass pass) => Ids(pass).Length;

    /// <summary>The id at a position, which may be a pad.</summary>
    public int Id(Pass pass, int position)
    {
        var ids = Ids(pass);
        return position < ids.Length ? ids[position] : padId;
    }

    /// <summary>m[p]: the passes differ here.</summary>
    public bool Differs(int position) => Id(Pass.Harmful, position) != Id(Pass.Harmless, position);

    /// <summary>The position's MLP outputs enter the MMD.</summary>
    public bool InMmd(int position) => !masked || Differs(position);

    /// <summary>The term of the target at <paramref name="position"/> + 1 under the difference mask: the lens always, the final logits
    /// usually.</summary>
    public Term MaskedTerm(Pass pass, int position)
    {
        int target = position + 1;
        if (target >= Length || !Differs(target) || Id(pass, target) == 0)
            return Term.None;
        return keepFirst || Differs(position) ? Term.Predicted : Term.Constant;
    }

    /// <summary>The same for the final logits: without the mask every token but id 0 is a target and every logit counts.</summary>
    public Term FinalTerm(Pass pass, int position)
    {
        if (masked)
            return MaskedTerm(pass, position);
        int target = position + 1;
        return target < Length && Id(pass, target) != 0 ? Term.Predicted : Term.None;
    }

    /// <summary>The position must be a row of the pass: it is a real token, or a pad that some term reads.</summary>
    public bool NeedsRow(Pass pass, int position) => position < RealLength(pass)
        || FinalTerm(pass, position) == Term.Predicted
        || (pass == Pass.Harmful && (InMmd(position) || MaskedTerm(pass, position) == Term.Predicted));

    /// <summary>Each pass has a counted target, so that neither mean is empty, whatever the other pairs of a batch hold.</summary>
    public bool HasTargets => HasTarget(Pass.Harmful) && HasTarget(Pass.Harmless);

    private bool HasTarget(Pass pass)
    {
        for (int p = PromptLength - 1; p < Length; p++)
        {
            if (p >= 0 && MaskedTerm(pass, p) != Term.None)
                return true;
        }
        return false;
    }

    private ReadOnlySpan<int> Ids(Pass pass) => pass == Pass.Harmful ? harmful : harmless;
}
