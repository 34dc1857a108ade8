// dotnet add package Microsoft.AspNetCore.Authentication.OpenIdConnect; redirect URI: https://dienst.example/signin-oidc
builder.Services
    .AddAuthentication(o => { o.DefaultScheme = "Cookies"; o.DefaultChallengeScheme = "oidc"; })
    .AddCookie("Cookies")
    .AddOpenIdConnect("oidc", o =>
    {
        o.Authority = builder.Configuration["ISSUER"];
        o.ClientId = builder.Configuration["CLIENT_ID"];
        o.ClientSecret = builder.Configuration["CLIENT_SECRET"];
        o.ResponseType = "code";
        o.UsePkce = true;
        o.MapInboundClaims = false;
        o.GetClaimsFromUserInfoEndpoint = true;
        o.Scope.Clear();
        o.Scope.Add("openid");
        o.Scope.Add("email");
        o.TokenValidationParameters.NameClaimType = "sub";
    });
