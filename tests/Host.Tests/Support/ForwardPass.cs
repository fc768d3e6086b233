using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Support;

/// <summary>One plain sequence through a model, without cache.</summary>
internal static class ForwardPass
{
    /// <summary>(T, V) logits, row-major.</summary>
    public static float[] Logits(ModelParameters parameters, int[] ids)
    {
        var device = parameters.Device;
        using var model = new Transformer(parameters, ids.Length, ids.Length, ParameterUse.Inference);
        using var plan = new AttentionPlan(device, 1, ids.Length);
        plan.Load([new AttentionSegment { QueryRow = 0, QueryCount = ids.Length, KeyRow = 0, KeyCount = ids.Length }],
            [.. Enumerable.Range(0, ids.Length)]);
        var deviceIds = device.AllocateIndices(ids.Length, MemoryCategory.Batch);
        device.Upload(ids, deviceIds);
        model.Forward(deviceIds, plan);
        var logits = device.AllocateTensor(BufferKind.Compute, ids.Length, parameters.Config.VocabSize, "workspace");
        model.Logits(logits, model.FinalNormed);
        var host = new float[logits.Length];
        device.Download(logits, host);
        logits.Buffer.Dispose();
        deviceIds.Buffer.Dispose();
        return host;
    }
}
