namespace RepNoise.Host.Model;

/// <summary>
/// Names, shapes and order of a decoder's tensors as Hugging Face checkpoints have them, and the blocks that hold them.
/// </summary>
internal sealed class ParameterLayout
{
    private readonly List<WeightBlock> blocks = [];
    private readonly List<Parameter> parameters = [];

    public ParameterLayout(ModelConfig config)
    {
        Embedding = Matrix("model.embed_tokens.weight", config.VocabSize, config.HiddenSize);
        Layers = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(l => Layer(config, $"model.layers.{l}."))];
        FinalNorm = Vector("model.norm.weight", config.HiddenSize);
        Head = config.TieWordEmbeddings ? Embedding : Matrix("lm_head.weight", config.VocabSize, config.HiddenSize);
    }

    public WeightBlock Embedding { get; }

    public IReadOnlyList<LayerWeights> Layers { get; }

    public WeightBlock FinalNorm { get; }

    public WeightBlock Head { get; }

    public IReadOnlyList<WeightBlock> Blocks => blocks;

    public IReadOnlyList<Parameter> Parameters => parameters;

    private LayerWeights Layer(ModelConfig c, string prefix)
    {
        int q = c.NumAttentionHeads * c.HeadDim, kv = c.NumKeyValueHeads * c.HeadDim;
        string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
        var layer = new LayerWeights
        {
            Qkv = Stacked(c.HiddenSize, (attention + "q_proj.weight", q), (attention + "k_proj.weight", kv), (attention + "v_proj.weight", kv)),
            QkvBias = c.QkvBias ? Joined((attention + "q_proj.bias", q), (attention + "k_proj.bias", kv), (attention + "v_proj.bias", kv)) : null,
            Output = Matrix(attention + "o_proj.weight", c.HiddenSize, q),
            OutputBias = c.OutputBias ? Vector(attention + "o_proj.bias", c.HiddenSize) : null,
            QueryNorm = c.QkNorm ? Vector(attention + "q_norm.weight", c.HeadDim) : null,
            KeyNorm = c.QkNorm ? Vector(attention + "k_norm.weight", c.HeadDim) : null,
            GateUp = Stacked(c.HiddenSize, (mlp + "gate_proj.weight", c.IntermediateSize), (mlp + "up_proj.weight", c.IntermediateSize)),
            GateUpBias = c.MlpBias ? Joined((mlp + "gate_proj.bias", c.IntermediateSize), (mlp + "up_proj.bias", c.IntermediateSize)) : null,
            Down = Matrix(mlp + "down_proj.weight", c.HiddenSize, c.IntermediateSize),
            DownBias = c.MlpBias ? Vector(mlp + "down_proj.bias", c.HiddenSize) : null,
            InputNorm = Vector(prefix + "input_layernorm.weight", c.HiddenSize),
            PostAttentionNorm = Vector(prefix + "post_attention_layernorm.weight", c.HiddenSize),
        };
        foreach (var block in (ReadOnlySpan<WeightBlock>)[layer.Qkv, layer.Output, layer.GateUp, layer.Down]) block.GradientStartsAsProduct = true;
        return layer;
    }

    private WeightBlock Matrix(string name, int rows, int columns) => Stacked(columns, (name, rows));

    private WeightBlock Vector(string name, int length) => Joined((name, length));

    private WeightBlock Stacked(int columns, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        int rows = 0;
        foreach (var part in parts) rows += part.Rows;
        var block = new WeightBlock { Rows = rows, Columns = columns, Decays = true };
        blocks.Add(block);
        int row = 0;
        foreach (var (name, count) in parts)
        {
            parameters.Add(new Parameter(name, block, row, 0, count, columns, false));
            row += count;
        }

        return block;
    }

    private WeightBlock Joined(params ReadOnlySpan<(string Name, int Length)> parts)
    {
        int length = 0;
        foreach (var part in parts) length += part.Length;
        var block = new WeightBlock { Rows = 1, Columns = length, Decays = false };
        blocks.Add(block);
        int column = 0;
        foreach (var (name, count) in parts)
        {
            parameters.Add(new Parameter(name, block, 0, column, 1, count, true));
            column += count;
        }

        return block;
    }
}
