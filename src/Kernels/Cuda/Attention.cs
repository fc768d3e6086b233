namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family attention. Variants: <c>naive</c>, a warp per row and head; <c>simt</c>, tiles without tensor cores; in bfloat16 <c>flash</c>, tiles on
/// the tensor cores, for head sizes up to 128, where others are computed in the next larger of its four sizes, and <c>flash_tall</c>, whose
/// forward takes twice the rows a block, for head sizes up to 96.
/// </summary>
internal sealed class Attention
{
    public const string Simt = "simt", Flash = "flash", FlashTall = "flash_tall";

    private const string Family = CudaFamilies.Attention, Naive = CudaFamilies.Naive;

    /// <summary>
    /// Queries of the longest segment from which on blocks of 128 rows are taken. On an H100 they are 11 % faster at 2048 and 5 % slower
    /// at 256; between the two nothing was measured.
    /// </summary>
    private const int TallQueries = 1024;

    private readonly string? forced;
    private readonly bool hasFlash;
    private readonly NaiveAttention naive;
    private readonly SimtAttention simt;
    private readonly FlashAttention flash;

    public Attention(CudaContext context, CudaVariants variants)
    {
        hasFlash = context.Compute == NumberFormat.BFloat16;
        forced = variants.Choose(Family, hasFlash ? $"{Flash}, {FlashTall} or {Simt} by shape" : Simt);
        (naive, simt, flash) = (new NaiveAttention(context), new SimtAttention(context), new FlashAttention(context));
    }

    /// <summary>Why a shape cannot run, or null.</summary>
    public string? Refuse(AttentionShape shape)
    {
        int largest = forced switch
        {
            FlashTall => FlashAttention.LargestTallHead,
            Flash => FlashAttention.LargestHead,
            _ => SimtAttention.LargestHead,
        };
        return shape.HeadSize <= largest ? null : $"head size {shape.HeadSize} is over {largest}";
    }

    public void Forward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        switch (Variant(plan, shape))
        {
            case Flash:
                flash.Forward(output, lse, q, k, v, plan, shape, isTall: false);
                break;
            case FlashTall:
                flash.Forward(output, lse, q, k, v, plan, shape, isTall: true);
                break;
            case Simt:
                simt.Forward(output, lse, q, k, v, plan, shape);
                break;
            default:
                naive.Forward(output, lse, q, k, v, plan, shape);
                break;
        }
    }

    public void Backward(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        switch (Variant(plan, shape))
        {
            case Flash or FlashTall:
                flash.Backward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
                break;
            case Simt:
                simt.Backward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
                break;
            default:
                naive.Backward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
                break;
        }
    }

    /// <summary>Scratch memory of the backward, in bytes: a number for every head and query row that the plan has room for.</summary>
    public long BackwardScratchBytes(AttentionPlan plan, AttentionShape shape) =>
        Variant(plan, shape) == Naive ? 0 : DeltaBytes(plan, shape);

    /// <summary>Bytes of the row sums of dOutput times output.</summary>
    public static long DeltaBytes(AttentionPlan plan, AttentionShape shape) => (long)plan.MaxQueryRows * shape.Heads * sizeof(float);

    private string Variant(AttentionPlan plan, AttentionShape shape)
    {
        // The tiled kernels start from a segment; where there is none, the backward has zeros to write all the same.
        if (plan.Segments.Length == 0) return Naive;
        if (forced is not null) return forced;
        if (!hasFlash || shape.HeadSize > FlashAttention.LargestHead) return Simt;
        return shape.HeadSize <= FlashAttention.LargestTallHead && FlashAttention.LongestSegment(plan) >= TallQueries ? FlashTall : Flash;
    }
}
