namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family attention. Variants: <c>naive</c>, a warp per row and head; in bfloat16 <c>flash</c>, tiles on the tensor cores, for head sizes
/// up to 128, where others are computed in the next larger of its four sizes.
/// </summary>
internal sealed class Attention
{
    private const string Family = "attention";
    private const string Flash = "flash";
    private const int LargestHead = 256;

    private readonly NaiveAttention naive;
    private readonly FlashAttention? flash;
    private readonly bool mustBeFlash;

    public Attention(CudaContext context, CudaVariants variants)
    {
        bool half = context.Compute == NumberFormat.BFloat16;
        string? forced = variants.Choose(Family, half ? ["naive", Flash] : ["naive"], half ? Flash : "naive");
        naive = new NaiveAttention(context);
        flash = half && forced != "naive" ? new FlashAttention(context) : null;
        mustBeFlash = forced == Flash;
    }

    /// <summary>Why a shape cannot run, or null.</summary>
    public string? Refuse(AttentionShape shape)
    {
        int largest = mustBeFlash ? FlashAttention.LargestHead : LargestHead;
        return shape.HeadSize <= largest ? null : $"head size {shape.HeadSize} is over {largest}";
    }

    public void Forward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        if (flash is not null && shape.HeadSize <= FlashAttention.LargestHead)
            flash.Forward(output, lse, q, k, v, plan, shape);
        else
            naive.Forward(output, lse, q, k, v, plan, shape);
    }

    public void Backward(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        // The tiled kernels start from a segment; where there is none, only zeros are to be written.
        if (flash is not null && shape.HeadSize <= FlashAttention.LargestHead && plan.Segments.Length > 0)
            flash.Backward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
        else
            naive.Backward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
    }
}
