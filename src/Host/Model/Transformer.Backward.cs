using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>The backward of Transformer.cs: the same steps in reverse, gradients of trained parameters accumulated.</summary>
public sealed partial class Transformer
{
    /// <summary>Clears <see cref="DFinalNormed"/>, so that a loss can add its gradients.</summary>
    public void BeginBackward() => device.Fill(DFinalNormed, 0);

    /// <summary>
    /// Carries <see cref="DFinalNormed"/>, and what the observer adds on the way, back to every trained parameter's
    /// gradient; it ends where nothing further down is trained. /// Must follow a training forward of the same batch.
    /// </summary>
    /// <param name="ids">The forward's ids.</param>
    /// <param name="plan">The forward's plan.</param>
    /// <param name="observer">Adds gradients of MLP outputs and hidden states; null adds none.</param>
    public void Backward(Indices ids, AttentionPlan plan, IPassObserver? observer = null)
    {
        using var backward = device.Scope(Phase.Backward);
        device.Show("d_final_norm", DFinalNormed);
        int last = Config.NumHiddenLayers, lowest = weights.FirstTrainedLayer;
        if (lowest == last && !weights.FinalNorm.IsTrained) return; // only the head is trained, and the loss has seen to it
        var dX = View(memory.DHidden);
        device.RmsNormBackward(dX, weights.FinalNorm.Gradient, DFinalNormed, Hidden(last), weights.FinalNorm.Value,
            View(memory.FinalRstd), accumulate: false);
        for (int l = last - 1; l >= Math.Max(0, lowest); l--)
        {
            using var layer = device.Scope(Phase.Layer, l);
            if (memory.SharesLayers && l < last - 1) RecomputeLayer(l, plan); // the last layer's activations are still there
            FeedForwardBackward(l, dX, observer);
            AttentionBackward(l, dX, plan);
            observer?.AddHiddenGradient(l, dX);
            device.Show("d_hidden", dX);
        }

        if (weights.Embedding.IsTrained) device.ScatterAddRows(weights.Embedding.Gradient, dX, ids);
    }

    /// <summary>Runs a layer's forward again, up to what its backward reads.</summary>
    private void RecomputeLayer(int l, AttentionPlan plan)
    {
        using var recomputation = device.Scope("recomputation", l);
        NormaliseInput(l);
        AttentionBlock(l, plan, store: null);
        FeedForwardActivations(l);
    }

    /// <summary>From the gradient of hidden[l + 1] to that of the residual stream between attention and feed-forward.</summary>
    private void FeedForwardBackward(int l, Tensor dX, IPassObserver? observer)
    {
        var (w, a) = (weights.Layers[l], memory.Layers[l]);
        var dMlp = dX;
        if (observer is not null && observer.WantsMlpGradient(l))
        {
            dMlp = View(memory.DMlp);
            device.Copy(dMlp, dX);
            observer.AddMlpGradient(l, dMlp);
        }

        var dActivated = View(memory.DActivated);
        LinearBackward(dActivated, dMlp, View(a.Activated), w.Down, w.DownBias);
        var (gate, up) = SplitGateUp(View(a.GateUp));
        device.SwigluBackward(gate, up, dActivated, gate, up);
        var dNormed = View(memory.DNormed);
        LinearBackward(dNormed, View(a.GateUp), View(a.Normed2), w.GateUp, w.GateUpBias);
        device.RmsNormBackward(dX, w.PostAttentionNorm.Gradient, dNormed, View(a.Middle), w.PostAttentionNorm.Value, View(a.Rstd2),
            accumulate: true);
    }

    private void AttentionBackward(int l, Tensor dX, AttentionPlan plan)
    {
        var (w, a) = (weights.Layers[l], memory.Layers[l]);
        var dAttention = View(memory.DAttention);
        LinearBackward(dAttention, dX, View(a.Attention), w.Output, w.OutputBias);
        var dQkv = View(memory.DQkv);
        var (q, k, v) = Split(View(a.Qkv));
        var (dQ, dK, dV) = Split(dQkv);
        device.AttentionBackward(dQ, dK, dV, dAttention, View(a.Attention), View(a.Lse), q, k, v, plan, Shape(l));
        device.Rotary(QueriesAndKeys(dQkv), cos, sin, plan.DevicePositions, inverse: true);
        if (w.QueryNorm is { } queryNorm && w.KeyNorm is { } keyNorm)
        {
            var (rawQuery, rawKey) = SplitRaw(a);
            device.RmsNormBackward(dQ, queryNorm.Gradient, dQ, rawQuery, queryNorm.Value, View(a.RstdQuery), accumulate: false);
            device.RmsNormBackward(dK, keyNorm.Gradient, dK, rawKey, keyNorm.Value, View(a.RstdKey), accumulate: false);
        }

        var dNormed = View(memory.DNormed);
        LinearBackward(dNormed, dQkv, View(a.Normed1), w.Qkv, w.QkvBias);
        device.RmsNormBackward(dX, w.InputNorm.Gradient, dNormed, Hidden(l), w.InputNorm.Value, View(a.Rstd1), accumulate: true);
    }
}
