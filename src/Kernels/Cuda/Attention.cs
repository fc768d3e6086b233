namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family attention. Variants: <c>naive</c>, a warp per row and head; <c>simt</c>, tiles without tensor cores; in bfloat16 <c>flash</c>, tiles on
/// the tensor cores, for head sizes up to 128, where others are computed in the next larger of its four sizes.
/// </summary>
internal sealed class Attention
{
    private const string Family = "attention", Naive = "naive", Simt = "simt", Flash = "flash";

    private readonly string? forced;
    private readonly bool hasFlash;
    private readonly NaiveAttention naive;
    private readonly SimtAttention simt;
    private readonly FlashAttention flash;

    public Attention(CudaContext context, CudaVariants variants)
    {
        hasFlash = context.Compute == NumberFormat.BFloat16;
        forced = variants.Choose(Family, hasFlash ? [Naive, Simt, Flash] : [Naive, Simt], hasFlash ? Flash : Simt);
        (naive, simt, flash) = (new NaiveAttention(context), new SimtAttention(context), new FlashAttention(context));
    }

    /// <summary>Why a shape cannot run, or null.</summary>
    public string? Refuse(AttentionShape shape)
    {
        int largest = forced == Flash ? FlashAttention.LargestHead : SimtAttention.LargestHead;
        return shape.HeadSize <= largest ? null : $"head size {shape.HeadSize} is over {largest}";
    }

    public void Forward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        switch (Variant(plan, shape))
        {
            case Flash:
                flash.Forward(output, lse, q, k, v, plan, shape);
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
            case Flash:
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

    private string Variant(AttentionPlan plan, AttentionShape shape)
    {
        // The tiled kernels start from a segment; where there is none, the backward has zeros to write all the same.
        if (plan.Segments.Length == 0) return Naive;
        return forced ?? (hasFlash && shape.HeadSize <= FlashAttention.LargestHead ? Flash : Simt);
    }
}
